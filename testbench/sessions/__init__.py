"""The modes: the only code that knows recording from replaying."""

from testbench.sessions._comparing import Comparing
from testbench.sessions._divergence import Divergence
from testbench.sessions._leaks import Leak
from testbench.sessions._matching import guarded
from testbench.sessions._orders import ORDERS, Order
from testbench.sessions._outbox import Outbox
from testbench.sessions._prefix import Prefix
from testbench.sessions._recording import Recording
from testbench.sessions._redacting import highest_on, redacted, with_value
from testbench.sessions._replaying import Replaying
from testbench.sessions._rules import Rules
from testbench.sessions._run import Run
from testbench.sessions._session import LeakWarning, Session
from testbench.sessions._splicing import Splice, Splicing

__all__ = [
    "ORDERS",
    "Comparing",
    "Divergence",
    "Leak",
    "LeakWarning",
    "Order",
    "Outbox",
    "Prefix",
    "Recording",
    "Replaying",
    "Rules",
    "Run",
    "Session",
    "Splice",
    "Splicing",
    "guarded",
    "highest_on",
    "redacted",
    "with_value",
]
