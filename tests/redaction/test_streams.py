"""Secrets that arrive in pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.redaction import Piece, Streams, redactor
from tests.redaction.planted import private_key, tokens

TEXT = (
    f"start {tokens()[0]} next password=hunter2hunter2 then https://me:s3cr3t-pw@example.org/x\n"
    f'{{"api_key": "k3y-k3y-k3y"}}\n{private_key()}Authorization: Bearer abcd1234efgh5678\n{tokens()[-1]} end'
).encode()
SECRETS = [tokens()[0], "hunter2hunter2", "s3cr3t-pw", "k3y-k3y-k3y", "abcd1234efgh5678", tokens()[-1]]


def streamed(pieces: list[bytes]) -> list[bytes]:
    """Return what is written for the pieces of one stream."""
    made = redactor(True)
    assert made is not None
    streams, written = Streams(made), [b""] * len(pieces)
    for number, data in enumerate(pieces):
        streams.add("stdout", Piece(data, lambda data, number=number: written.__setitem__(number, data)))  # type: ignore[misc]
    streams.end()
    return written


def check(pieces: list[bytes]) -> None:
    """Make sure that no secret is left, that lengths are, and that the whole is what it is in one piece."""
    written = streamed(pieces)
    assert [len(data) for data in written] == [len(data) for data in pieces]
    assert b"".join(written) == streamed([TEXT])[0]
    assert not any(secret.encode() in b"".join(written) for secret in SECRETS)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 61, 100_000])
def test_pieces_of_one_size(size: int) -> None:
    """However small the pieces are, they hold their shares of what the whole text becomes."""
    check([TEXT[at : at + size] for at in range(0, len(TEXT), size)])


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_any_pieces(cuts: list[int]) -> None:
    """Wherever a text is cut, the pieces hold their shares of what the whole text becomes."""
    places = [0, *sorted(cuts), len(TEXT)]
    check([TEXT[start:end] for start, end in pairwise(places)])


def test_a_line_does_not_wait() -> None:
    """What ends with its line, and begins no secret, is settled at once."""
    made, written = redactor(True), []
    assert made is not None
    streams = Streams(made)
    for data in (b"hello\n", b"Password: ", b"> "):
        streams.add("stdout", Piece(data, written.append))
    assert written == [b"hello\n", b"Password: ", b"> "]


def test_the_beginning_of_a_token_waits_for_its_end() -> None:
    """A piece that may begin a token is settled when the next one shows what it was."""
    made, written = redactor(True), []
    assert made is not None
    streams = Streams(made)
    token = tokens()[0].encode()
    streams.add("stdout", Piece(b"is " + token[:7], written.append))
    assert written == []
    streams.add("stderr", Piece(b"other\n", written.append))
    assert written == [b"other\n"]
    streams.add("stdout", Piece(token[7:] + b"\n", written.append))
    assert b"".join(written[1:]) == b"is ${SECRET:1.............................}\n"


def test_the_end_of_a_stream_settles_what_waits() -> None:
    """At its end a stream has shown what it was."""
    made, written = redactor(True), []
    assert made is not None
    streams = Streams(made)
    streams.add("stdout", Piece(b"some gh", written.append))
    streams.add("stdout", Piece(b"", written.append), last=True)
    assert written == [b"some gh", b""]


def test_a_placeholder_over_several_lines_in_pieces_stays() -> None:
    """A scan of a tape that was scrubbed finds nothing in it."""
    made, written = redactor(True), []
    assert made is not None
    streams = Streams(made)
    for piece in (b"${SEC", b"RET:2", b"....\r", b"\n....", b"...\r\n", b"...\r\n", b"\r}"):
        streams.add("stdout", Piece(piece, written.append))
    streams.end()
    assert b"".join(written) == b"${SECRET:2....\r\n.......\r\n...\r\n\r}"
    assert made.redactions == 0
