"""The plugin for pytest: a fixture and a marker, both named ``testbench``; nothing happens to tests that use neither.

The files: `_settings` (flags, environment, ini and who wins), `_marker` (its options), `_paths` (where the tape of a
test is), `_tapes` (which test uses which tape, and the ones nobody uses), `_workers` (which tests xdist keeps
together), `_active` (opening and closing), `_report` (what a failed test says). pytest is imported in this package
only, and what records and replays only by tests that use it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from testbench.pytest_plugin._active import ACTIVE, Active, activate
from testbench.pytest_plugin._marker import complain_of_marker, explain_marker
from testbench.pytest_plugin._report import describe
from testbench.pytest_plugin._settings import Settings, add_options
from testbench.pytest_plugin._tapes import TAPES, Tapes

if TYPE_CHECKING:
    from testbench.sessions import Session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add flags and their twins in the ini file."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, so that a wrong one ends the run before it begins."""
    explain_marker(config)
    settings = Settings.of(config)
    tapes = config.stash[TAPES] = Tapes(config, settings)
    config.pluginmanager.register(tapes, "testbench-tapes")


def pytest_report_header(config: pytest.Config) -> str:
    """Say the settings, and where each comes from."""
    return f"testbench: {config.stash[TAPES].settings}"


@pytest.fixture(name="testbench")
def _testbench(request: pytest.FixtureRequest) -> Generator[Session]:
    """Record or replay this test: a session that is open while the test itself runs."""
    active = activate(request.node, request.config.stash[TAPES])
    request.node.stash[ACTIVE] = active
    yield active.session
    active.give_up()  # the test never ran: a fixture that came after this one has failed


@pytest.fixture(name="testbench_class", scope="class")
def _testbench_class(request: pytest.FixtureRequest) -> Generator[Session]:
    """Record or replay all tests of a class, with one tape; the session is open from the first to the last."""
    yield from _whole(request)


@pytest.fixture(name="testbench_module", scope="module")
def _testbench_module(request: pytest.FixtureRequest) -> Generator[Session]:
    """Record or replay all tests of a module, with one tape; the session is open from the first to the last."""
    yield from _whole(request)


@pytest.fixture(name="testbench_session", scope="session")
def _testbench_session(request: pytest.FixtureRequest) -> Generator[Session]:
    """Record or replay the whole run, with one tape; the session is open from the first test that asks to the end."""
    yield from _whole(request)


def _whole(request: pytest.FixtureRequest) -> Generator[Session]:
    tapes = request.config.stash[TAPES]
    active = activate(request.node, tapes)
    with tapes.shared(active):
        active.open()
        yield active.session
        if request.session.shouldstop or request.session.shouldfail:
            active.see_failure(pytest.Session.Interrupted("the run was stopped, so that not all of its tests have run"))
        active.end()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that nobody reads."""
    complain_of_marker(item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Open the session around the test itself, so that pytest's own doings are not on the tape."""
    active = item.stash.get(ACTIVE, None)
    if active is None:
        return (yield)
    active.open()
    try:
        result = yield
    except BaseException as error:
        active.fail(error)
        raise
    active.end()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a section to the report of a failed test, and keep in mind that it failed."""
    report = yield
    if call.excinfo is not None and report.failed:  # and neither skipped nor expected to
        used: list[Active] = [*item.config.stash[TAPES].open, *filter(None, [item.stash.get(ACTIVE, None)])]
        for active in used:
            active.see_failure(call.excinfo.value)
            report.sections.append(("testbench", describe(active, item.nodeid, call.excinfo.value)))
    if call.when == "teardown" and ACTIVE in item.stash:
        del item.stash[ACTIVE]  # pytest keeps its items to the end: a thousand sessions would slow every collection
    return report
