"""Which arguments of a command line are secrets by the option before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from testbench.protocol import Plain

_PASSWORD: Final[dict[str, tuple[str, ...]]] = {
    "curl": ("-u", "--user", "--proxy-user", "-U"),
    "sshpass": ("-p",),
    "docker": ("-p",),
    "mysql": ("-p",),
    "mysqldump": ("-p",),
    "mysqladmin": ("-p",),
    "mariadb": ("-p",),
    "redis-cli": ("-a",),
    "ldapsearch": ("-w",),
    "openssl": ("-passin", "-passout", "-pass", "-k"),
    "htpasswd": ("-b",),
    "mongosh": ("-p",),
    "mongo": ("-p",),
    "smbclient": ("-U",),
}
"""Short options that take a password, by program; long ones name it."""

PROGRAMS: Final = tuple(_PASSWORD)

_ATTACHING: Final = frozenset({"mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass"})
OPTION: Final = "-p"
"""The name of a secret that stands in one argument with its option: ``-phunter2``."""

ATTACHED: Final = len(OPTION)
_FLAG: Final = "-"


def after_options(items: Sequence[Plain], names_secret: Callable[[str], bool]) -> dict[int, str]:
    """Return the places of arguments that are secrets, with the names of these.

    Args:
        items: a list in which a command line may stand: ``["mysql", "--password", "x"]``; or a name with its value.
        names_secret: tells the names of secrets.
    """
    found: dict[int, str] = {}
    program = _program(items)
    options = _PASSWORD.get(program, ())
    if program in _ATTACHING:
        found |= {at: OPTION for at, item in enumerate(items) if isinstance(item, str) and _is_attached(item)}
    for place, (option, value) in enumerate(pairwise(items)):
        if not isinstance(option, str) or not isinstance(value, (str, bytes)) or not option:
            continue
        dashed = option.startswith(_FLAG)
        if option in options and not (option in ("-p", "-U") and not _is_login(items)):
            found[place + 1] = "password"
        elif (dashed or len(items) == 2) and names_secret(option) and not _is_flag(value):
            found[place + 1] = option
    return found


def _is_login(items: Sequence[Plain]) -> bool:
    """Tell whether ``-p`` is a password here: ``docker run -p`` names a port."""
    return _program(items) != "docker" or "login" in items[:4]


def _program(items: Sequence[Plain]) -> str:
    first = items[0] if items else None
    return first.rpartition("/")[2] if isinstance(first, str) else ""


def _is_attached(item: str) -> bool:
    return item.startswith(OPTION) and len(item) > ATTACHED


def _is_flag(value: str | bytes) -> bool:
    return value[:2] in ("--", b"--")
