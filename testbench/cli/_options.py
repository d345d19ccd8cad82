"""Options that the commands which run a program share; they carry the names of the fields of `testbench.Testbench`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any, Final

from testbench.protocol import Plain

_FIXED_SEED: Final = "0"


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a session."""
    parser.add_argument(
        "--recorders", metavar="KIND,...", type=words, help="only these kinds of boundary (default: all)"
    )
    parser.add_argument(
        "--env", metavar="NAME,...", type=words, help="environment variables of child processes that have to match"
    )
    parser.add_argument(
        "--roots",
        metavar="DIR,...",
        type=words,
        help="with --effects roots: directories that are looked at (default: those that each child is given)",
    )
    parser.add_argument(
        "--interception",
        choices=("in-place", "name"),
        help="name: where functions cannot be redirected in place, replace their names in modules, which reaches less "
        "(default: in-place)",
    )
    parser.add_argument(
        "--allow",
        metavar="HOST|PATH,...",
        type=words,
        help="hosts (HOST or HOST:PORT) and paths that the program may reach though no tape answers them",
    )
    parser.add_argument(
        "--redact",
        metavar="RULE,...",
        type=_rules,
        help="what is secret besides the usual: names (X_PIN, *_DSN) or regular expressions; off: nothing is",
    )
    parser.add_argument(
        "--placeholders",
        metavar="NAME=PATH,...",
        type=_places,
        help="on: let ${CWD}, ${TMP}, ${HOME} and ${PYTHON} stand for paths; with DATA=/srv/data, ${DATA} too",
    )


SESSION: Final = ("recorders", "env", "roots", "interception", "allow", "redact", "placeholders")
"""The names of those options."""


def _add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the options that tell how a tape is made; a replay takes them from the tape."""
    parser.add_argument(
        "--clock",
        choices=("real", "paused", "ticking"),
        help="paused: time moves only by sleeping; ticking: it goes on from --start (default: real)",
    )
    parser.add_argument("--start", metavar="TIME", help="where a paused clock begins (default: 2026-01-01T00:00:00Z)")
    parser.add_argument("--seed", metavar="N", type=int, help="make all randomness from N (default: it stays random)")
    parser.add_argument(
        "--files",
        choices=("off", "programs", "observed", "sealed"),
        help="programs: looking for programs is recorded, so that a replay finds them (default: with --effects roots); "
        "observed: so is what the program reads, by its digest; sealed: with its content, so that no file is needed",
    )
    parser.add_argument(
        "--effects",
        choices=("none", "roots"),
        help="roots: what child processes do to files is recorded too (default: none)",
    )


_RECORDING: Final = ("clock", "start", "seed", "files", "effects")
"""The names of those options."""


def _rules(given: str) -> str | list[str]:
    return given if given == "off" else words(given)


def _places(given: str) -> bool | dict[str, str]:
    if given in ("on", "off"):
        return given == "on"
    pairs = [word.partition("=") for word in words(given)]
    return {f"${{{name}}}": path for name, _, path in pairs}


def add_order(parser: argparse.ArgumentParser) -> None:
    """Add the option that relaxes the order of threads."""
    parser.add_argument(
        "--order",
        choices=("strict", "boundary", "lane", "any"),
        help="how much of the order of threads a replay repeats: all, that of their events, each thread's own, or none "
        "(default: strict; on replay, as recorded)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that tools want."""
    parser.add_argument(
        "--json", action="store_true", help="print what run and tape differ in as one JSON object, on stderr"
    )


def add_living(parser: argparse.ArgumentParser) -> None:
    """Add the options of a session that touches the world."""
    parser.add_argument(
        "--environ",
        metavar="NAME,...",
        type=words,
        help="environment variables that are recorded also when the program goes through all, or with ! in front those "
        "that never are; * stands for any characters",
    )
    parser.add_argument(
        "--leaks",
        choices=("ignore", "warn", "fail"),
        help="what to do about crossings that are not on the tape (default: warn)",
    )


LIVING: Final = ("environ", "leaks")
"""The names of those options."""


def add_making(parser: argparse.ArgumentParser) -> None:
    """Add all the options of a command that may make a tape."""
    _add_recording(parser)
    add_session_arguments(parser)
    add_order(parser)
    add_living(parser)


MAKING: Final = (*_RECORDING, *SESSION, "order", *LIVING)
"""The names of all of them."""


def chosen(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the named options that were given, as keyword arguments."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def hash_seed(meta: Mapping[str, Plain] | None = None) -> str:
    """Return the ``PYTHONHASHSEED`` that a program runs with, so that sets have the same order on record and replay.

    Args:
        meta: header of the tape to replay; None while recording, when the user's own choice counts.
    """
    recorded = (meta or {}).get("hash_seed")
    seed = recorded if isinstance(recorded, str) else os.environ.get("PYTHONHASHSEED", "")
    return seed if seed.isdigit() else _FIXED_SEED


def words(given: str) -> list[str]:
    """Return the words of a list with commas."""
    return [word for word in given.split(",") if word]
