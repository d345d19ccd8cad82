"""The modes: the only code that knows recording from replaying."""

from testbench.sessions._divergence import Divergence
from testbench.sessions._leaks import Leak
from testbench.sessions._prefix import Prefix
from testbench.sessions._recording import Recording
from testbench.sessions._replaying import Replaying
from testbench.sessions._session import LeakWarning, Run, Session
from testbench.sessions._splicing import Splice, Splicing

__all__ = [
    "Divergence",
    "Leak",
    "LeakWarning",
    "Prefix",
    "Recording",
    "Replaying",
    "Run",
    "Session",
    "Splice",
    "Splicing",
]
