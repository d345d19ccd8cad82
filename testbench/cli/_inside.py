"""Runs within the recorded program's interpreter: opens the session, becomes the program, closes the session last.

Whatever the program can see (``sys.argv``, ``sys.path``, ``__main__``, its traceback, its exit status) is as if the
interpreter had been given the program directly.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from testbench import _api
from testbench.cli._become import become
from testbench.cli._exit import PROBLEM
from testbench.cli._traceback import show
from testbench.errors import DivergenceError, TestbenchError


def main(instructions: str, command: list[str]) -> None:
    """Run the program; the interpreter then ends as it would have ended.

    Args:
        instructions: JSON of ``session`` (a function of the API, its first argument, its keyword arguments), ``how``
            (the program is a script, a module or code) and ``at`` (where it stands in the command).
        command: the words of the whole command, interpreter and program.
    """
    order = json.loads(instructions)
    program = become(order["how"], command, order["at"])
    ending = _Ending(_open(*order["session"], in_json=order["json"]), in_json=order["json"])
    # Registered first, so called last: after the program's threads and its own exit handlers.
    atexit.register(ending.close)
    try:
        program()
    except SystemExit:
        raise
    except DivergenceError as error:
        # The session raises it again when it is closed, and the report is printed then, once.
        sys.unraisablehook = _quiet_about_divergence(sys.unraisablehook)
        sys.exit(PROBLEM + error.exit_status)
    except BaseException as error:
        ending.by(error)
        sys.exit(PROBLEM + error.exit_status if isinstance(error, TestbenchError) else 1)


class _Ending:
    """How the session ends: kept, set aside, or with an error that has the last word on the exit status."""

    def __init__(self, session: Any, *, in_json: bool) -> None:
        self._session = session
        self._in_json = in_json
        self._pid = os.getpid()
        self._error: BaseException | None = None

    def by(self, error: BaseException) -> None:
        """Take note of an exception that nobody caught, and show it as the interpreter does."""
        self._error = error
        show(error)

    def close(self) -> None:
        """Finish the tape; called when nothing of the program is left to run."""
        if os.getpid() != self._pid:  # a fork of the program: the tape is its parent's
            return
        try:
            if isinstance(self._error, KeyboardInterrupt | TestbenchError):
                self._session.abort(self._error)
            else:  # an exception of the program's own is an ending like any other
                _close(self._session)
        except TestbenchError as error:
            _give_up(error, in_json=self._in_json)
        except BaseException:  # a fault of ours: atexit would print it and let the program end as if all were well
            traceback.print_exc()
            _flush()
            os._exit(PROBLEM)
        if isinstance(
            self._error, KeyboardInterrupt
        ):  # what the interpreter does after an interrupt that nobody caught
            _flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(self._pid, signal.SIGINT)


def _open(verb: str, tape: str, options: dict[str, Any], *, in_json: bool) -> Any:
    try:
        return getattr(_api, verb)(tape, **options).open()
    except TestbenchError as error:
        _give_up(error, in_json=in_json)


def _close(session: Any) -> None:
    """Close the session; what it warns of is said in our own words, whatever filters the program has set."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session.close()
    for warning in caught:
        _say(str(warning.message))
    if session.splice is not None:
        _say(str(session.splice))


def _quiet_about_divergence(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """Say nothing more of a divergence that exit handlers and finalisers run into as well."""
    return lambda news: None if isinstance(news.exc_value, DivergenceError) else hook(news)


def _give_up(error: TestbenchError, *, in_json: bool) -> NoReturn:
    from testbench.cli._output import takes_colour, told  # where all goes well, nobody pays for it

    _write(told(error, in_json=in_json, colour=takes_colour(sys.__stderr__)))
    os._exit(PROBLEM + error.exit_status)


def _say(text: str) -> None:
    _write(f"testbench: {text}")


def _write(text: str) -> None:
    _flush()
    with contextlib.suppress(OSError):  # a stderr that is closed: the exit status still tells
        os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None, closed, or a pipe without a reader: then there is nobody to give the rest to.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
