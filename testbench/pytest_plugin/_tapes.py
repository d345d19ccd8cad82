"""Which test uses which tape in this run, and which tapes nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from testbench.errors import UsageError
from testbench.pytest_plugin._active import Active
from testbench.pytest_plugin._marker import FIXTURES
from testbench.pytest_plugin._paths import tape_path
from testbench.pytest_plugin._settings import Settings

TAPES: Final = pytest.StashKey["Tapes"]()

_PATH: Final = pytest.StashKey[Path]()

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
                    self._note(_node_of(item, fixture))

    def _note(self, node: pytest.Item | pytest.Collector) -> None:
        given = next((mark.kwargs["tape"] for mark in node.iter_markers("testbench") if "tape" in mark.kwargs), None)
        path = node.stash[_PATH] = self._root / (tape_path(node) if given is None else given)
        users = self._users.setdefault(str(path).lower(), [])
        if node.nodeid not in users:
            users.append(node.nodeid)
        self._used.add(str(path))

    def claim(self, node: pytest.Item | pytest.Collector) -> Path:
        """Return the tape of a test, class, module or run, absolute.

        Raises:
            UsageError: another test has the same one.
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
        return path

    @contextmanager
    def shared(self, active: Active) -> Iterator[None]:
        """Let tests that fail meanwhile be seen by a session of several tests; give it up if it does not end well."""
        self.open.append(active)
        try:
            yield
        finally:
            self.open.remove(active)
            active.give_up()

    # Who uses nothing.

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that the run is not of all tests."""
        self._whole = self._whole and not items

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a file could not be read, so that its tests are not known."""
        self._whole = self._whole and not report.failed

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
