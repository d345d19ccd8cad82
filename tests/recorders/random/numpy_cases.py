"""Generators of numpy; run by test_numpy.py."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest
from numpy.random import rand as early_rand

import testbench


def test_every_kind_of_generator_replays(dice):
    """The hidden one, also by names bound early, generators of before and of the session, seeded or not."""
    before = numpy.random.default_rng()
    old = numpy.random.RandomState()

    def program():
        within, seeded = numpy.random.default_rng(), numpy.random.default_rng(5)
        cards = numpy.arange(20)
        within.shuffle(cards)
        return [
            *(early_rand(2).tolist(), numpy.random.randn(), numpy.random.randint(9), cards.tolist()),
            *(before.normal(), old.standard_normal(), within.integers(0, 99, 4).tolist(), seeded.random()),
            *(numpy.random.Generator(kind(3)).random() for kind in (numpy.random.Philox, numpy.random.SFC64)),
        ]

    assert dice.agree(program)[7] == numpy.random.default_rng(5).random()


def test_a_seed_of_the_program_needs_no_tape(dice):
    """numpy.random.seed(4) gives what it always gives, and no event; without a value the state is asked."""

    def program():
        numpy.random.seed(4)
        first = early_rand()
        numpy.random.seed()
        return first, early_rand()

    assert dice.agree(program)[0] == numpy.random.RandomState(4).rand()
    assert [op for op in dice.ops() if op != "urandom"] == ["numpy_state"]


def test_threads_that_share_generators_get_what_they_got(dice):
    """Each draw from a shared one is an event that holds the state it began with."""

    def program():
        shared, seen = numpy.random.default_rng(), {}

        def work(name):
            mine = numpy.random.default_rng()
            with pytest.raises(ValueError, match="negative dimensions"):
                shared.random(-1)
            seen[name] = [early_rand(), shared.random(3).tolist(), shared.choice(5), mine.random()]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen, numpy.random.random()

    dice.agree(program)


def test_a_replay_gives_the_hidden_generator_its_state_back(dice):
    """After a replay it goes on as if nothing had been drawn."""
    dice.record(early_rand)
    numpy.random.seed(77)
    expected = numpy.random.RandomState(77).rand(2).tolist()
    with testbench.replay(dice.tape):
        assert early_rand() not in expected
    assert early_rand(2).tolist() == expected


def test_a_seed_of_the_session_makes_two_recordings_the_same(tmp_path):
    """seed= decides about the hidden generator and about seeds from the system."""
    for name in ("a", "b"):
        with testbench.record(tmp_path / name, clock="paused", seed=1):
            early_rand()
            numpy.random.default_rng().random()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("early", [True, False])
def test_it_does_not_matter_when_numpy_is_imported(tmp_path: Path, early: bool):
    """Nothing random of its import is on the tape, so that this replays where numpy was loaded before."""
    text = "import sys, testbench\n"
    text += "import numpy\n" if early else ""
    text += f"with testbench.record({str(tmp_path / 'n.tape')!r}, recorders=['random']):\n"
    text += "    import numpy\n    print([numpy.random.rand(), numpy.random.default_rng().random()])\n"
    given = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    with testbench.replay(tmp_path / "n.tape"):
        assert f"{[float(numpy.random.rand()), numpy.random.default_rng().random()]}\n" == given
    assert sys.meta_path == [finder for finder in sys.meta_path if "testbench" not in type(finder).__module__]
