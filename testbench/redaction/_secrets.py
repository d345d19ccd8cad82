"""The secrets of one session: each has one placeholder, wherever it stands, and some are looked for by their value."""

from __future__ import annotations

import binascii
import functools
import re
from collections.abc import Iterable, Mapping
from typing import AnyStr, Final

from testbench.redaction._names import is_no_secret, is_secret_name
from testbench.redaction._placeholder import is_placeholder, placeholder, placeholders, stand_ins
from testbench.redaction._spans import Span

_MOST_LITERALS: Final = 256
"""So many values are looked for, besides those that were there from the start; the oldest make room."""

_LONGEST: Final = 16_384
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_WORD: Final = re.compile(r"[a-z]{1,11}|[A-Z][a-z]{1,10}|\d{1,7}|[/~.].*|[\w.-]+(?:/[\w.-]+)*/?\.[a-z]{1,4}")
"""What is too usual a text to be looked for everywhere because it was somebody's password once: words, years, paths."""


class Secrets:
    """Numbers secrets in order of first sight, and remembers what they are.

    Args:
        first: the number before the first one.
        replaying: what stands on the tape is taken as it is, whatever the length of a live secret.

    Attributes:
        literals: the values to look for.
    """

    def __init__(self, first: int = 0, *, replaying: bool = False) -> None:
        self._replaying = replaying
        self._stand_ins: dict[bytes, str] = {}
        self._bound: dict[bytes, str] = {}  # on replay: what the tape holds for the secrets of this run
        self._taken: set[str] = set()
        self._expected: list[str] = []
        self._number = first
        self._literals: dict[bytes, None] = {}
        self._lasting: dict[bytes, None] = {}
        self.literals: tuple[bytes, ...] = ()

    def stand_in(self, secret: AnyStr) -> AnyStr:
        """Return what stands for a secret on the tape."""
        key = _key(secret)
        bound = self._bound.get(key) or (self._bind(key) if self._expected else None)
        if bound is not None and (self._replaying or len(bound) == len(secret)):
            return bound if isinstance(secret, str) else bound.encode()
        if bound is not None:
            return placeholder(self._number_of(bound), secret)
        found = self._stand_ins.get(key)
        if found is None:
            found = self._stand_ins[key] = self._next(secret)
        if len(found) == len(secret):
            return found if isinstance(secret, str) else found.encode()
        return placeholder(self._number_of(found), secret)  # text beyond ASCII is longer as bytes

    def bind(self, pairs: Mapping[str, bytes]) -> bool:
        """Let live secrets stand for placeholders; False, and none does, where one stands for something else.

        Args:
            pairs: secrets by placeholder.
        """
        for stand_in, key in pairs.items():
            if self._bound.get(key, stand_in) != stand_in or (stand_in in self._taken and key not in self._bound):
                return False
        if len(set(pairs.values())) != len(pairs):
            return False
        for stand_in, key in pairs.items():
            self._bound[key] = stand_in
            self._taken.add(stand_in)
            self.remember(key)
        return True

    def _bind(self, key: bytes) -> str:
        """Let a live secret stand for the next of the recorded ones that no other stands for."""
        bound = self._bound[key] = self._expected.pop(0)
        self._taken.add(bound)
        return bound

    def _next(self, secret: AnyStr) -> str:
        made = placeholder(self._number + 1, secret)
        self._number += bool(stand_ins(made))
        return made if isinstance(made, str) else made.decode()

    def _number_of(self, stand_in: str) -> int:
        found = placeholders(stand_in)
        return found[0][0] if found else 0

    def expect(self, recorded: Iterable[str]) -> None:
        """Be told what a tape holds for the secrets that come next, so that others than the recorded ones fit too.

        Args:
            recorded: the placeholders in a recorded request, in order.
        """
        self._expected = [text for text in dict.fromkeys(recorded) if text not in self._taken]

    def expect_no_more(self) -> None:
        """Be told that what comes next is no counterpart of anything recorded."""
        self._expected = []

    def remember(self, secret: str | bytes, *, always: bool = False, lasting: bool = False) -> None:
        """Look for a secret by its value from now on, wherever it stands, and for the usual ways of writing it.

        Args:
            secret: its value.
            always: also where it is too usual a text for that.
            lasting: never forget it.
        """
        key = _key(secret)
        if is_placeholder(key) or len(key) > _LONGEST or not (always or is_telling(key)):
            return
        into = self._lasting if lasting else self._literals
        if key in self._lasting or key in self._literals:
            return
        into[key] = None
        if len(key) >= 8:
            into[binascii.b2a_base64(key, newline=False)] = None
            into[_percent(key)] = None
        while len(self._literals) > _MOST_LITERALS:
            del self._literals[next(iter(self._literals))]
        self.literals = (*self._lasting, *self._literals)

    def spans(self, text: AnyStr) -> list[Span]:
        """Return where known secrets stand in a text."""
        found = []
        for key in self.literals:
            value: AnyStr = _like(key, text)
            at = text.find(value)
            while at >= 0:
                found.append(Span(at, at + len(value), "known"))
                at = text.find(value, at + len(value))
        return found

    def unfinished(self, data: bytes) -> int:
        """Return where a known secret begins that may go on behind the end of the data; the end if none does."""
        first = len(data)
        for key in self.literals:
            at = data.find(key[:1], max(0, len(data) - len(key) + 1))
            while at >= 0:
                if key.startswith(data[at:]):
                    first = min(first, at)
                    break
                at = data.find(key[:1], at + 1)
        return first


def environment_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the values of those variables that are secrets by their names."""
    named = [(name, environ[name]) for name in environ if _is_secret_variable(name)]
    return [value for name, value in named if not is_no_secret(value, name) and is_telling(_key(value))]


_is_secret_variable: Final = functools.lru_cache(256)(is_secret_name)
"""A process has the same variables in each of its sessions."""


def is_telling(secret: bytes) -> bool:
    """Tell whether a text is so peculiar that it means this secret wherever it stands."""
    return len(secret) >= 6 and _WORD.fullmatch(secret.decode("latin-1")) is None


def _percent(key: bytes) -> bytes:
    """Write a text as URLs do (RFC 3986 section 2.3)."""
    return b"".join(bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte for byte in key)


def _key(secret: str | bytes) -> bytes:
    return secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")


def _like(key: bytes, text: AnyStr) -> AnyStr:
    return key if isinstance(text, bytes) else key.decode("utf-8", "surrogateescape")
