"""Random bytes of the operating system, and all that the standard library makes of them."""

from __future__ import annotations

import os
import random
import secrets
import ssl
import uuid
from os import urandom as early

import pytest

import testbench
from testbench import DivergenceError, UsageError


@pytest.mark.parametrize(
    ("draw", "sizes"),
    [
        (lambda: os.urandom(5), [5]),
        (lambda: early(5), [5]),
        (lambda: os.getrandom(7, os.GRND_NONBLOCK), [7]),
        (lambda: secrets.token_hex(8), [8]),
        (lambda: ssl.RAND_bytes(9), [9]),
        (lambda: secrets.randbelow(1000) < 1000, [2]),
        (lambda: secrets.choice("ab") in "ab", [1]),
        (lambda: uuid.uuid4(), [16]),
        (lambda: random.SystemRandom().random(), [7]),
        (lambda: random.SystemRandom().randbytes(3), [3]),
    ],
)
def test_bytes_are_crossings_by_whichever_name_they_are_asked_for(dice, draw, sizes):
    """Each draw is one event with its size, and a replay gives the same bytes."""
    dice.agree(draw)
    sized = [event.request["size"] for event in dice.events()]
    assert sized[:1] == sizes  # what is drawn again because it was out of range comes after
    assert set(sized) == set(sizes)


def test_a_megabyte_of_bytes_comes_back(dice):
    """Large draws are kept as blobs."""
    assert len(dice.agree(lambda: os.urandom(1_000_000))) == 1_000_000


@pytest.mark.parametrize("wrong", [-1, "5", 2.0, None])
def test_what_cannot_be_asked_is_refused_as_ever(dice, wrong):
    """Errors of argument are those of CPython, on record and replay, and nothing is on the tape."""

    def program():
        with pytest.raises((ValueError, TypeError)) as caught:
            os.urandom(wrong)
        return str(caught.value)

    with pytest.raises((ValueError, TypeError)) as stock:
        os.urandom(wrong)
    assert dice.agree(program) == str(stock.value)
    assert dice.ops() == []


def test_flags_that_the_system_refuses_are_an_outcome(dice):
    """An OSError comes back with its number."""

    def program():
        with pytest.raises(OSError, match="Invalid argument") as caught:
            os.getrandom(4, 0x4000)
        return caught.value.errno

    assert dice.agree(program)
    assert dice.ops() == ["getrandom"]


def test_a_replay_that_asks_for_more_bytes_is_told_so(dice):
    """The divergence says how many were asked for, and how many the tape holds."""
    dice.record(lambda: os.urandom(16))
    with pytest.raises(DivergenceError, match="asks for 32 random bytes, the tape holds 16"):
        dice.replay(lambda: os.urandom(32))


def test_a_replay_that_asks_once_more_is_told_so(dice):
    """At the end of the tape there are no further bytes."""
    dice.record(lambda: os.urandom(16))
    with pytest.raises(DivergenceError, match="the tape has ended"):
        dice.replay(lambda: [os.urandom(16), os.urandom(16)])


def test_a_seed_makes_two_recordings_the_same(dice, tmp_path):
    """With seed= bytes and unseeded generators are computed; another seed gives others."""

    def program():
        return os.urandom(9), os.getrandom(3), random.random(), random.Random().random(), uuid.uuid4()

    seen = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        with testbench.record(tmp_path / name, clock="paused", seed=seed):
            seen.append(program())
    assert seen[0] == seen[1] != seen[2]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with testbench.replay(tmp_path / "a"):
        assert program() == seen[0]


def test_a_seed_leaves_what_the_program_seeds_itself(dice):
    """random.seed(3) gives what it always gives."""

    def program():
        random.seed(3)
        return random.random(), random.Random(3).random()

    assert dice.agree(program, seed=1) == (random.Random(3).random(), random.Random(3).random())


def test_a_seed_that_is_no_integer_is_refused():
    """The error says what was expected."""
    with pytest.raises(UsageError, match="expected an integer"):
        testbench.Testbench(seed="5")
