"""The kind ``environ``: what differs between machines and is asked for by the program.

Functions that tell what the machine and the process are (`testbench.recorders._environ_machine`): one event per call.
Variables of ``os.environ`` (`testbench.recorders._environ_variables`): one event per thread for each that is asked for
and may be told; secrets never may.

Not told are ``os.getpid`` and ``os.getppid``: objects that were there before the session compare them with what they
remember, and the program sends signals to itself by them. Files are not told either: where a path made from
``os.getcwd()`` leads is up to the machine that replays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from testbench.protocol import Call, Matcher
from testbench.recorders._environ_machine import install_machine
from testbench.recorders._environ_names import check_patterns, tellable
from testbench.recorders._environ_variables import Variables


class Environ:
    """The recorder of kind ``environ``.

    Args:
        names: names of variables that may stand on the tape beside the safe ones, or patterns with ``*``.

    Raises:
        UsageError: a name is none, or looks like that of a secret.
    """

    kind = "environ"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    def __init__(self, names: Sequence[str] = ()) -> None:
        check_patterns(names)
        self._names = tuple(names)

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send what the program asks through ``call``; see `testbench.protocol.Recorder`."""
        with ExitStack() as stack:
            install_machine(call, stack)
            Variables(call, tellable(self._names)).install(stack)
            yield
