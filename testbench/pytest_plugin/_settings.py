"""Flags, environment and ini file: what was set, where, and who wins (flag, marker, environment, ini)."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

import pytest

MODES: Final = ("replay", "once", "record", "splice", "verify", "off", "none", "new_episodes", "all", "rewrite")
_ORPHANS: Final = ("ignore", "warn", "fail")

_OPTIONS: Final = {
    "mode": ("once", "MODE", f"what tests with a tape do: {', '.join(MODES)} (default: once; under CI it replays)"),
    "dir": ("tapes", "DIR", "where tapes are, relative to the root directory (default: tapes)"),
    "orphans": ("warn", "WHAT", "what to do about tapes that no test of a full run uses: ignore, warn, fail"),
}


class Setting(NamedTuple):
    """One value, and where it comes from: ``flag``, ``environment``, ``ini`` or ``default``."""

    value: str
    source: str

    def __str__(self) -> str:
        return self.value if self.source == "default" else f"{self.value} ({self.source})"


class Settings(NamedTuple):
    """The settings of one run of pytest."""

    mode: Setting
    dir: Setting
    orphans: Setting

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Read them.

        Raises:
            pytest.UsageError: one has a value that means nothing; the text says where it was set.
        """
        found = cls(*(_read(config, name) for name in _OPTIONS))
        _check("mode", found.mode, MODES)
        _check("orphans", found.orphans, _ORPHANS)
        return found

    def __str__(self) -> str:
        ci = " - CI is set, so it only replays" if self.mode.value == "once" and os.environ.get("CI") else ""
        return f"mode {self.mode}{ci}, tapes in {self.dir}, orphans {self.orphans}"


def add_options(parser: pytest.Parser) -> None:
    """Add the flags and their twins in the ini file."""
    group = parser.getgroup("testbench", "record and replay what tests take from the world")
    for name, (_, metavar, text) in _OPTIONS.items():
        group.addoption(f"--testbench-{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"testbench_{name}", text, default=None)


def _read(config: pytest.Config, name: str) -> Setting:
    flag, variable = config.getoption(f"testbench_{name}"), os.environ.get(f"TESTBENCH_{name.upper()}")
    if flag is not None:
        return Setting(str(flag), "flag")
    if variable:
        return Setting(variable, "environment")
    written = config.getini(f"testbench_{name}")
    return Setting(str(written), "ini") if written else Setting(_OPTIONS[name][0], "default")


def _check(name: str, setting: Setting, known: tuple[str, ...]) -> None:
    if setting.value not in known:
        where = {"flag": f"--testbench-{name}", "environment": f"TESTBENCH_{name.upper()}"}
        told = where.get(setting.source, f"testbench_{name} in the ini file")
        raise pytest.UsageError(f"{told} is {setting.value!r}; expected one of {', '.join(known)}")
