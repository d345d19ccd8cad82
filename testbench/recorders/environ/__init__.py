"""The kind ``environ``: what differs between machines and is asked for by the program.

All of it are facts (`testbench.protocol.Call.fact`): what the machine and the process are (ops named like the
function), the directory, the locale, and the variables of the environment. A replay knows them all from the beginning,
so that it does not matter who asks first, or whether a module was imported, or a cache filled, before the session.

The program's own doings are real in both modes: variables that it sets, directories that it changes to. Secrets never
are on a tape: see `testbench.recorders.environ._variables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from testbench.inplace import UndoStack
from testbench.protocol import Call, Matcher
from testbench.recorders.environ._directory import Directory
from testbench.recorders.environ._locale import install_locale
from testbench.recorders.environ._machine import MACHINE, install_machine
from testbench.recorders.environ._names import Names
from testbench.recorders.environ._pids import install_pids
from testbench.recorders.environ._terminal import TERMINAL, install_terminal
from testbench.recorders.environ._variables import Variables


class Environ:
    """The recorder of kind ``environ``.

    Args:
        names: which variables are told when the program goes through all of them, beside those that are always: names,
            or patterns with ``*``; with ``!`` in front, those that are never told.
        virtual_pids: tell the program pids that repeat from run to run instead of the system's.

    Raises:
        UsageError: a name is none, or looks like that of a secret.
    """

    kind = "environ"
    version = 1
    matchers: Mapping[str, Matcher] = {}
    facts = frozenset((*MACHINE, *TERMINAL, "getpid", "getppid", "getcwd", "setlocale", "variable", "variables"))

    def __init__(self, names: Sequence[str] = (), virtual_pids: bool = False) -> None:
        self._names = Names(names)
        self._virtual_pids = virtual_pids

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send what the program asks through ``call``; see `testbench.protocol.Recorder`."""
        with UndoStack() as stack:
            install_machine(call, stack)
            install_pids(call, stack, virtual=self._virtual_pids)
            Directory(call).install(stack)
            install_locale(call, stack)
            install_terminal(call, stack)
            Variables(call, self._names).install(stack)
            yield
