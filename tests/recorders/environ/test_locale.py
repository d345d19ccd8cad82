"""The locale of the recording, on a machine that has another one."""

from __future__ import annotations

import locale
from typing import Any

import pytest

PROGRAM = """
import locale
def program():
    asked = locale.setlocale(locale.LC_ALL), locale.getlocale(locale.LC_TIME)
    made = locale.setlocale(locale.LC_ALL, "")
    after = locale.setlocale(locale.LC_ALL), locale.nl_langinfo(locale.CODESET), locale.getlocale()
    return asked, made, after, locale.setlocale(locale.LC_ALL, "C"), locale.setlocale(locale.LC_CTYPE)
"""
UNKNOWN = """
import locale
def program():
    try:
        return locale.setlocale(locale.LC_ALL, "")
    except locale.Error as error:
        return str(error)
"""


@pytest.mark.parametrize("there", ["C", "POSIX", "C.UTF-8"])
def test_the_locale_is_that_of_the_recording(fresh: Any, there: str) -> None:
    """What it is, and what the environment makes of it, are told; the C library lives in it."""
    recorded = fresh("record", PROGRAM, LC_ALL="C.UTF-8", LANG=None)
    assert fresh("replay", PROGRAM, LC_ALL=there, LANG=None, PYTHONCOERCECLOCALE="0") == recorded


def test_a_locale_that_was_not_there_is_not_there_on_replay(fresh: Any) -> None:
    """The error is told."""
    recorded = fresh("record", UNKNOWN, LC_ALL="tlh_QO.UTF-8")
    assert recorded == repr("unsupported locale setting")
    assert fresh("replay", UNKNOWN, LC_ALL="C") == recorded


def test_bad_arguments_raise_what_they_always_raise(fresh: Any) -> None:
    """The error is that of `locale.setlocale` itself, and the locale stays."""
    program = """
import locale
def program():
    found = [locale.setlocale(locale.LC_ALL)]
    for given in (("x",), (99, "C"), (0, 3), (0, b"C"), ()):
        try:
            locale.setlocale(*given)
        except Exception as error:
            found.append((type(error).__name__, str(error)))
    return found, locale.setlocale(locale.LC_ALL) == found[0]
"""
    recorded = fresh("record", program)
    assert fresh("replay", program, LC_ALL="C") == recorded
    assert locale.Error.__name__ in recorded
