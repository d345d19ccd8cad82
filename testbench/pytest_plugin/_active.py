"""One session of a test, a class, a module or a run: how it is chosen, opened, and ended by how the tests went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from testbench.errors import TapeNotFoundError, TapeWriteError, UsageError
from testbench.pytest_plugin._marker import options_of
from testbench.pytest_plugin._places import placed

if TYPE_CHECKING:
    from testbench.pytest_plugin._tapes import Tapes
    from testbench.sessions import Session

ACTIVE: Final = pytest.StashKey["Active"]()

_WRITING: Final = ("record", "splice")


@dataclass(eq=False)  # and not attrs, which a suite that does not use us would pay for
class Active:
    """One session, on its way from the fixture to its end.

    Attributes:
        session: what the fixture gives.
        tape: its tape, absolute.
        mode: what it does: ``replay``, ``record``, …; ``once`` has been decided.
        test: the id of the test, class or module.
        commands: makes the command that runs a test in a mode; see `Tapes.command`.
        failed: what the first test that failed in it raised.
    """

    session: Session
    tape: Path
    mode: str
    test: str
    commands: Callable[[str, str], str]
    failed: BaseException | None = None
    _state: str = "new"
    _clocks: ExitStack = field(default_factory=ExitStack)

    def prepare(self, config: pytest.Config) -> None:
        """Make ready for the session to open: by us, or by a fixture that opens it earlier.

        Raises:
            TapeWriteError: the directory of the tape cannot be made.
        """
        if self.mode in _WRITING:
            _make_folder(self.tape)
        self._clocks.enter_context(_real_clocks(config))

    def open(self) -> None:
        """Open the session, unless a fixture has done so.

        Raises:
            TapeNotFoundError: there is no tape to replay; the text has the command that makes it.
            UsageError: the tape is that of another test.
            TestbenchError: as `testbench.session`.
        """
        if self._state != "new":
            return
        self._state = "open"
        try:
            if not self.session.is_open:
                self.session.open()
        except TapeNotFoundError as error:
            raise TapeNotFoundError(f"{error} For this test: {self.command()}") from None
        self._check_owner()

    def _check_owner(self) -> None:
        owner = self.session.meta.get("test", self.test)
        if owner != self.test:
            self.fail(UsageError("another test's tape"))
            raise UsageError(
                f"{self.tape} was recorded by {owner!r} and is used by {self.test!r}; if the test has only been "
                f"renamed, record it again: {self.command()}"
            )

    def see_failure(self, error: BaseException) -> None:
        """Keep in mind that a test failed, or never came to its end: the tape of this session will not be kept."""
        self.failed = self.failed or error

    def end(self) -> None:
        """Close the session after a good test; after a bad one, see `fail`."""
        if self.failed is not None:
            self.fail(self.failed)
        elif self._leave():
            self.session.close()

    def fail(self, error: BaseException) -> None:
        """End the session after a test that did not pass: a recording is set aside, never over a good tape.

        Raises:
            DivergenceError: the replay diverged before, and the test raised something else.
        """
        self.failed = error
        if self._leave():
            self.session.abort(error)

    def give_up(self) -> None:
        """End a session whose test never ran."""
        if self._leave() or self.session.is_open:
            self.session.abort(self.failed)

    def command(self, mode: str = "record") -> str:
        """Return the command, to paste, that runs this test in another mode."""
        return self.commands(self.test, mode)

    def _leave(self) -> bool:
        left, self._state = self._state == "open", "closed"
        self._clocks.close()
        return left


def activate(node: pytest.Item | pytest.Collector, tapes: Tapes) -> Active:
    """Make the session for a test, class, module or run; it is not open yet.

    Raises:
        TypeError, UsageError: the marker says what means nothing, or this tape cannot be its own.
    """
    from testbench._api import Testbench, effective_mode

    options = placed(options_of(node), node.config)
    options.pop("tape", None)
    asked, chosen = options.pop("mode", None), tapes.settings.mode
    test, path = tapes.claim(node)
    mode = effective_mode(path, chosen.value if asked is None or chosen.source == "flag" else asked)
    options["meta"] = {"test": test, **options.get("meta", {})}
    active = Active(Testbench(**options).session(path, mode), path, mode, test, tapes.command)
    active.prepare(node.config)
    return active


def _make_folder(tape: Path) -> None:
    try:
        tape.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TapeWriteError(
            f"the tape {tape} cannot be written: its directory cannot be made ({error.strerror}: {error.filename}). "
            "Give another one with --testbench-dir, or change its mode."
        ) from error


@contextmanager
def _real_clocks(config: pytest.Config) -> Iterator[None]:
    """Let pytest and a worker of xdist measure by the real clock, whatever the session does with time."""
    from _pytest import timing

    from testbench import real_clock

    own = [(vars(timing), name, getattr(real_clock, name)) for name in ("time", "perf_counter", "sleep")]
    own += [(names, "time", real_clock) for names in _of_workers(config)]
    before = [names[name] for names, name, _ in own]
    for names, name, real in own:
        names[name] = real
    try:
        yield
    finally:
        for (names, name, _), old in zip(own, before, strict=True):
            names[name] = old


def _of_workers(config: pytest.Config) -> Iterator[dict[str, Any]]:
    """Yield the global names of the worker of xdist: code sent through a pipe, of no module."""
    if hasattr(config, "workerinput"):
        for plugin in config.pluginmanager.get_plugins():
            run = getattr(type(plugin), "run_one_test", None)
            if run is not None:  # it measures each test, while the session of a class, module or run is open
                yield run.__globals__
