"""Exceptions as outcomes: captured whole, rebuilt without running what raised them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from testbench.errors import RecordingError, TapeDamagedError, UnsupportedError
from testbench.sessions._errors import capture, rebuild
from testbench.tape import Raised


class Custom(Exception):
    """Takes other arguments than those it keeps."""

    def __init__(self, number: int, *, reason: str) -> None:
        super().__init__(f"{number}: {reason}")
        self.number = number
        self.reason = reason


class CustomOS(OSError):
    """An OSError whose constructor is the user's."""

    def __init__(self, path: str) -> None:
        super().__init__(5, "Input/output error", path)
        self.extra = [path]


class Slotted(Exception):
    """Keeps what it knows outside of its dict."""

    __slots__ = ("code", "nothing", "unset")

    def __init__(self, code: int) -> None:
        super().__init__("slotted")
        self.code = code
        self.nothing = None


def caused(by: BaseException | None) -> BaseException:
    """Return an exception as ``raise ... from`` leaves it."""
    error = ValueError("consequence")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        ValueError("a", 1, None),
        KeyError("k"),
        FileNotFoundError(2, "No such file or directory", "/x"),
        PermissionError(13, "Permission denied", b"/bytes\xff"),
        OSError(18, "Invalid cross-device link", "/a", None, "/b"),
        BlockingIOError(11, "again", 3),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        UnicodeEncodeError("ascii", "\ud800", 0, 1, "ordinal not in range"),
        StopIteration(7),
        SystemExit(3),
        ImportError("no", name="mod", path="/p"),
        subprocess.CalledProcessError(3, ["git", "x"], b"out", b"err"),
        subprocess.TimeoutExpired(["git"], 2.5, output=b"part"),
        Custom(4, reason="four"),
        CustomOS("/dev/x"),
    ],
    ids=lambda error: f"{type(error).__name__}",
)
def test_an_exception_is_rebuilt_with_type_args_text_and_attributes(error: BaseException) -> None:
    """Nothing that a program can look at differs."""
    again = rebuild(capture(error), (BaseException,))
    assert type(again) is type(error)
    assert again.args == error.args
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    for name in ("errno", "strerror", "filename", "filename2", "encoding", "object", "start", "end", "reason", "value"):
        assert getattr(again, name, None) == getattr(error, name, None)
    assert getattr(again, "name", None) == getattr(error, "name", None)


def test_slots_come_back_and_stay_unset() -> None:
    """A slot is an attribute like any other; None in it is not the same as nothing."""
    again: Any = rebuild(capture(Slotted(3)), (Slotted,))
    assert (again.code, again.nothing) == (3, None)
    assert not hasattr(again, "unset")


def test_the_cause_comes_back_with_its_own_cause() -> None:
    """``raise ... from`` says what was behind an error, and ``from None`` that nothing was; programs print both."""
    again = rebuild(capture(caused(caused(FileNotFoundError(2, "none", "/x")))), (ValueError,))
    assert isinstance(again.__cause__, ValueError)
    assert isinstance(again.__cause__.__cause__, FileNotFoundError)
    assert again.__cause__.__cause__.filename == "/x"
    silenced = rebuild(capture(caused(None)), (ValueError,))
    assert (silenced.__cause__, silenced.__suppress_context__) == (None, True)
    assert not rebuild(capture(ValueError()), (ValueError,)).__suppress_context__


def test_a_cause_that_could_not_come_back_is_refused_while_recording() -> None:
    """An error without its cause would be another error."""
    with pytest.raises(RecordingError, match=r"an argument is a builtins\.object"):
        capture(caused(KeyError(object())))
    endless = caused(None)
    endless.__cause__ = caused(endless)
    with pytest.raises(RecordingError):
        capture(endless)


def test_a_cause_on_the_tape_that_is_no_exception_is_damage() -> None:
    """Whatever a tape says, nothing but an exception becomes a cause."""
    for value in (1, "ValueError", ["builtins.ValueError"], ["builtins.ValueError", [], []]):
        with pytest.raises(TapeDamagedError, match="cause"):
            rebuild(Raised("builtins.ValueError", [], {"__cause__": value}), (Exception,))


def test_a_local_class_or_a_live_attribute_is_refused_while_recording() -> None:
    """What could not be raised again is refused when it happens, not when it is replayed."""

    class Local(Exception): ...

    live = ValueError("x")
    live.handle = object()  # type: ignore[attr-defined]  # that is what is refused
    for error in (Local(), live, ValueError(object())):
        with pytest.raises(RecordingError, match="module level"):
            capture(error)


def test_a_tape_cannot_name_a_class_that_is_no_outcome() -> None:
    """A type is only looked up among the live exceptions that the recorder allows; nothing is imported or called."""
    for name in ("os.system", "builtins.print", "builtins.KeyboardInterrupt", "nowhere.Error", "", "builtins"):
        with pytest.raises(UnsupportedError):
            rebuild(Raised(name, ["x"], {}), (Exception,))


def test_attributes_from_a_tape_cannot_replace_what_python_owns() -> None:
    """Dunder names end up in the exception's own dict, where they have no effect."""
    state: dict[str, Any] = {"__class__": "builtins.dict", "__traceback__": "no"}
    again = rebuild(Raised("builtins.ValueError", ["x"], state), (Exception,))
    assert type(again) is ValueError
    assert again.__traceback__ is None
