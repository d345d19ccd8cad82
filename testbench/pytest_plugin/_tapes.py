"""Which test uses which tape in this run, and which tapes nobody uses."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from testbench.errors import UsageError
from testbench.pytest_plugin._active import Active
from testbench.pytest_plugin._marker import FIXTURES, tape_of
from testbench.pytest_plugin._paths import tape_path
from testbench.pytest_plugin._settings import Settings
from testbench.pytest_plugin._workers import group_of, tell_worker

TAPES: Final = pytest.StashKey["Tapes"]()

_PATH: Final = pytest.StashKey[Path]()
_TEST: Final = pytest.StashKey[str]()

_SENT: Final = "testbench_tapes"
"""Under this name a worker of xdist tells the controller what it has seen."""

_PARTS: Final = (
    "keyword",
    "markexpr",
    "deselect",
    "lf",
    "failedfirst",
    "stepwise",
    "collectonly",
    "last_failed",
    "pyargs",
)
"""Options of pytest with which a run is not of all tests."""


class Tapes:
    """The tapes of one run of pytest; a plugin itself.

    Attributes:
        settings: flags and their twins.
        open: sessions of more than one test that are open now.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.settings = settings
        self.open: list[Active] = []
        self._config = config
        self._root = config.rootpath / settings.dir.value
        self._users: dict[str, list[str]] = {}
        self._items: dict[Path, list[pytest.Item]] = {}
        self._used: set[str] = set()
        self._whole = True
        self._orphans: list[str] = []

    # Who uses what.

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the tape of every test, before any of them is left out."""
        for item in items:
            for fixture in FIXTURES:
                if fixture in getattr(item, "fixturenames", ()):
                    path = self._note(_node_of(item, fixture))
                    self._items.setdefault(path, []).append(item)

    def _note(self, node: pytest.Item | pytest.Collector) -> Path:
        path = node.stash[_PATH] = self._root / (tape_of(node) or tape_path(node))
        node.stash[_TEST] = node.nodeid  # to which xdist may add the name of a group, later
        users = self._users.setdefault(str(path).lower(), [])
        if node.nodeid not in users:
            users.append(node.nodeid)
        self._used.add(str(path))
        return path

    def claim(self, node: pytest.Item | pytest.Collector) -> tuple[str, Path]:
        """Return the id of a test, class, module or run, and its tape, absolute.

        Raises:
            UsageError: another test has the same one, or its tests are spread over workers of xdist.
        """
        if _PATH not in node.stash:  # a fixture that was asked for while the test ran, by its name
            self._note(node)
        path = node.stash[_PATH]
        users = self._users[str(path).lower()]
        if len(users) > 1:
            raise UsageError(
                f"{len(users)} tests have the tape {path}: {', '.join(users[:5])}. Each needs its own, or what one "
                "records the other replays; leave out tape= in the marker, or give each another one"
            )
        if len(set(map(group_of, self._items.get(path, ())))) > 1:
            raise UsageError(
                f"the tests that share the tape {path} are spread over workers, each of which would record a tape of "
                "its own there: run pytest with --dist loadfile, or those of the whole run with -n 0"
            )
        return node.stash[_TEST], path

    def command(self, test: str, mode: str) -> str:
        """Return the command, to paste where this run was started, that runs a test with the same tapes."""
        words = ["pytest", f"--testbench-mode={mode}"]
        if test:  # the whole run has an empty id
            module, *inner = test.split("::")
            path = os.path.relpath(self._config.rootpath / module, self._config.invocation_params.dir)
            words.insert(1, "::".join([path, *inner]))
        if self.settings.dir.source == "flag":
            words.append(f"--testbench-dir={self.settings.dir.value}")
        return shlex.join(words)

    @contextmanager
    def shared(self, active: Active) -> Iterator[None]:
        """Let tests that fail meanwhile be seen by a session of several tests; give it up if it does not end well.

        Raises:
            UsageError: the session of a class or module is open, which has to end after all that begin within it.
        """
        for other in self.open:
            if not _is_within(active.test, other.test):
                raise UsageError(
                    f"the session of {active.test or 'the whole run'} cannot begin while that of {other.test} is open, "
                    "which ends before it; let the first test that asks for a session ask for the wider one too"
                )
        self.open.append(active)
        try:
            yield
        finally:
            self.open.remove(active)
            active.give_up()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let no session of several tests keep its tape: the test that was interrupted has no report."""
        for active in self.open:
            active.see_failure(excinfo.value)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let none keep its tape either where pytest itself, or a plugin, breaks down."""
        self.pytest_keyboard_interrupt(excinfo)

    # Who uses nothing.

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that the run is not of all tests."""
        self._whole = self._whole and not items

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a file could not be read, so that its tests are not known."""
        self._whole = self._whole and not report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist how tests are spread."""
        tell_worker(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Hear from a worker of xdist what it has seen."""
        told = getattr(node, "workeroutput", {}).get(_SENT)
        if told is None:
            self._whole = False
        else:
            self._used.update(told["used"])
            self._whole = self._whole and told["whole"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Look for orphans after a full run; a worker of xdist leaves that to its controller."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_SENT] = {"used": sorted(self._used), "whole": self._whole}
            return
        finished = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = session.shouldstop or session.shouldfail
        if self.settings.orphans.value != "ignore" and self._whole and finished and not stopped and self._is_full():
            self._orphans = [str(path) for path in sorted(self._root.rglob("*.tape")) if str(path) not in self._used]
        if self._orphans and self.settings.orphans.value == "fail" and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """List them."""
        if self._orphans:
            terminalreporter.section("testbench: tapes that no test uses")
            for path in self._orphans:
                terminalreporter.write_line(f"  {path}")
            terminalreporter.write_line("Delete them, or run with --testbench-orphans=ignore to keep them.")

    def _is_full(self) -> bool:
        """Tell whether pytest was asked for all tests."""
        config = self._config
        if any(config.getoption(name, default=None) for name in _PARTS) or config.getoption("ignore", default=None):
            return False
        if config.args_source != pytest.Config.ArgsSource.ARGS:
            return True
        asked = {(config.invocation_params.dir / word).resolve() for word in config.args}
        wanted = {(config.rootpath / word).resolve() for word in config.getini("testpaths") or ["."]}
        return wanted <= asked


def _is_within(inner: str, outer: str) -> bool:
    """Tell by their ids whether a module or class lies in a run or module."""
    return not outer or inner.startswith(f"{outer}::")


def _node_of(item: pytest.Item, fixture: str) -> pytest.Item | pytest.Collector:
    """Return what a fixture of the given name belongs to: the test, its class, its module or the run."""
    kinds: dict[str, type[Any]] = {
        "testbench_class": pytest.Class,
        "testbench_module": pytest.Module,
        "testbench_session": pytest.Session,
    }
    if fixture not in kinds:
        return item
    return item.getparent(kinds[fixture]) or item.getparent(pytest.Module) or item
