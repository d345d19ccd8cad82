"""The modes: the only code that knows recording from replaying."""

from testbench.session._divergence import Divergence
from testbench.session._leaks import Leak
from testbench.session._recording import Recording
from testbench.session._replaying import Replaying
from testbench.session._session import LeakWarning, Run, Session

__all__ = ["Divergence", "Leak", "LeakWarning", "Recording", "Replaying", "Run", "Session"]
