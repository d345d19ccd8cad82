"""What users call: each verb opens a session, which `testbench._beginning` puts together when it begins."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from testbench._answering import replaying, splicing
from testbench._beginning import recording, unrecorded, verified
from testbench._once import once
from testbench._opened import Tape
from testbench._options import Options, StrPath, one_of
from testbench.sessions import Session

MODES: Final = ("replay", "once", "record", "splice", "verify", "off")
ALIASES: Final = {"none": "replay", "all": "record", "rewrite": "record", "new_episodes": "splice"}
"""The words of the VCR family, and which of the modes each means."""


@attrs.frozen(kw_only=True)
class Testbench(Options):
    """How to record and replay: one frozen value behind the functions, the command line and test plugins.

    Attributes:
        recorders: kinds by name, or recorder objects of your own; None means all built-in kinds (on replay: those that
            recorded the tape).
        clock: ``"real"``; or ``"paused"``: while recording, time stands still except for sleeps, and starts at
            ``start``, so that two recordings of a deterministic program are byte-identical; or ``"ticking"``: it starts
            at ``start`` and goes on at its usual pace. Where it is not real, ``session.clock.advance`` and
            ``session.clock.travel_to`` move it.
        start: with ``clock="paused"`` or ``"ticking"``: nanoseconds since the epoch, a datetime with a zone, or ISO
            8601 text. Default 2026-01-01T00:00:00Z.
        seed: an integer from which all randomness is made while recording, so that two recordings draw the same. Never
            record so what makes real keys or passwords: everybody can compute them. None, the default, leaves
            randomness random, also with ``clock="paused"``.
        interception: ``"in-place"``: the function objects themselves are redirected, so that everybody who holds one
            follows; or ``"name"``, the weaker way, for interpreters where that cannot be: names in modules are
            replaced, so that an earlier ``from time import time`` is not followed, nor are methods of types written in
            C, such as ``datetime.now``. What is not followed is listed among the leaks, also on replay.
        env: names of environment variables of child processes that are recorded and must match.
        files: ``"programs"``: looking for programs (`shutil.which`; `os.stat`, `os.access` and their kin of what is in
            a directory of PATH) is recorded, and PATH itself, so that they are found on replay where they are gone;
            ``"sealed"``: so is what the program reads itself, and a replay needs no files; ``"observed"``: so is what
            that was, by its digest, and a replay says where the disk differs;
            ``"off"``: it is not. Default: ``"programs"`` where ``effects`` is ``"roots"``, else ``"off"``. On replay
            the tape decides.
        effects: ``"roots"``: what child processes do to files is recorded, and done again on replay; ``"none"``, the
            default: it is not, so that nobody pays for it who has not asked. On replay the tape decides.
        roots: with ``effects="roots"``: directories under which it is. Default: the working directory of each child,
            and those that HOME and TMPDIR name if it is given others than the program has. On replay: where these
            directories are now, in the same order.
        overlay: a directory that stays what it was, whatever is done in it: ``session.files.diff()`` tells what that
            is, and ``session.files.apply()`` does it; at the end, the rest is gone. Or an `Overlay` that is not open.
            See `testbench.Overlay`.
        fidelity: in mode ``verify``, what counts as a difference: ``"byte"``, ``"semantic"``, ``"outcome"`` or
            ``"phase"``; see `testbench.fidelity`.
        environ: names of variables, or patterns with ``*``, whose values are recorded when the program goes through all
            of ``os.environ``, beside those of the locale, the terminal and the user; those it asks for by name are
            recorded anyway. With ``!`` in front: never recorded, like those that look like secrets.
        leaks: what to do at close about crossings that are not on the tape: ``"ignore"``, ``"warn"``, ``"fail"``.
        allow: what the program may reach though no tape answers it, on record and replay alike, and without a leak:
            hosts (``"db.internal"``, ``"127.0.0.1:5432"``; ``*`` stands for any characters) and paths, which have a
            slash in them (``"/srv/data"``, ``"~/.config"``).
        stall_s: seconds without progress after which a replay with several lanes gives up, where it is not certain
            before that none can go on; a tenth of it where all threads sleep.
        order: how much of the order of threads a replay repeats: ``"strict"``, the default, all of it, so that also
            races in shared memory come out as recorded; ``"boundary"``: the events, and between them threads run side
            by side; ``"lane"``: what each thread does, without regard to the others; ``"any"``: nothing, an event
            answers whoever asks for it. What is not strict is written on a new tape. On replay, None means as
            recorded; it may be looser than that, never stricter.
        shuffle: on replay, a seed: threads take turns in another order that is drawn from it, each keeping its own.
        meta: further plain values for the header of a new tape.
        placeholders: make a tape fit other machines: paths that begin with the working directory, the directory for
            temporary files, the home and the interpreter stand as ``${CWD}``, ``${TMP}``, ``${HOME}`` and ``${PYTHON}``
            on it, and a replay puts in what they are there; in bytes of streams, which programs count, they stay.
            ``True`` for these, or a mapping with further ones (``{"${DATA}": "/srv/data"}``). On replay the tape tells
            which there are.
        match: what has to match on replay, by kind and op (``"process.spawn"``), kind, or ``"*"``: names of fields
            (no others are compared), names with a dash before (these are not), mappings from fields to functions
            that normalise both sides (``""`` for the whole request), or a function of the recorded and the live
            request that says why they differ, or None; or a list of these.
        redact: secrets are replaced by placeholders before anything reaches the disk; the program sees them. ``True``,
            the default: values under names such as TOKEN, SECRET, PASSWORD and KEY, the shapes of widely used tokens,
            private keys, URLs with credentials, and the values of such environment variables wherever they stand.
            ``False``: nothing. Or a list of what is secret besides: names (``"X_PIN"``, ``"*_DSN"``), regular
            expressions, of which the group ``secret`` or the first one is taken, and functions that are given a text
            and return the secrets in it.
        redact_values: secrets by their values, redacted wherever they stand.
    """

    def record(self, path: StrPath) -> Session:
        """Return a session that records to ``path``; see `record`."""
        return Session(lambda: recording(self, path), leaks=self.leaks)

    def replay(self, path: StrPath, *, rerecord: StrPath | None = None) -> Session:
        """Return a session that replays ``path``; see `replay`."""
        return Session(lambda: replaying(self, path, rerecord), leaks=self.leaks)

    def session(self, path: StrPath, mode: str = "once") -> Session:
        """Return a session in a named mode; see `session`."""
        chosen = effective_mode(path, mode)
        if chosen == "off":
            return Session(lambda: unrecorded(self))
        if chosen == "record" and ALIASES.get(mode, mode) == "once":
            record, replay = partial(recording, self), partial(replaying, self)
            return Session(lambda: once(path, self.stall_s, record, replay), leaks=self.leaks)
        begin = {"record": self.record, "replay": self.replay, "splice": self.splice, "verify": self.verify}
        return begin[chosen](path)

    def splice(self, path: StrPath) -> Session:
        """Return a session that follows ``path`` as far as the program does, and records from there on."""
        begin = splicing if Path(path).exists() else recording
        return Session(lambda: begin(self, path), leaks=self.leaks)

    def verify(self, path: StrPath) -> Session:
        """Return a session that runs for real and compares with ``path``; see `verify`."""
        return Session(lambda: verified(self, path), leaks=self.leaks)


def record(path: StrPath, **options: Any) -> Session:
    """Record everything inside the ``with`` block to a new tape.

    The tape appears at ``path`` when the block ends well, in one step; until then, and for ever if the block raises, an
    older tape there stays as it is. A block that raises leaves ``<path>.failed`` behind.

    Args:
        path: the tape.
        options: those of `Testbench`.

    Raises:
        UsageError: an option is wrong.
        UnsupportedError: functions cannot be redirected in place on this interpreter; see ``interception``.
        TapeBusyError: another recording is writing this tape.
        TapeWriteError: the tape cannot be written there.
        RecordingError: at the end, when the run is not faithful.
    """
    return Testbench(**options).record(path)


def replay(path: StrPath, *, rerecord: StrPath | None = None, **options: Any) -> Session:
    """Answer everything inside the ``with`` block from a tape; the world is not touched.

    Args:
        path: the tape.
        rerecord: write the replayed events to a new tape there; it is byte-identical to the old one.
        options: those of `Testbench`.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeIncompleteError, TapeDamagedError: about the tape.
        DivergenceError: in the block and at its end, when program and tape do not agree.
    """
    return Testbench(**options).replay(path, rerecord=rerecord)


def session(path: StrPath, mode: str = "once", **options: Any) -> Session:
    """Open a session in a mode by name.

    Args:
        path: the tape.
        mode: ``record`` (always, a new tape), ``replay`` (always), ``once`` (record if there is no tape, else replay;
            under CI, where the variable ``CI`` is set, replay), ``splice`` (replay as far as the program follows the
            tape, record from there on, to a new tape), ``verify`` (see `verify`), ``off``. The words of the VCR family
            are understood: ``none`` means ``replay``, ``all`` and ``rewrite`` mean ``record``, ``new_episodes`` means
            ``splice``.
        options: those of `Testbench`.

    Raises:
        As `record`, `replay` and `verify`.
    """
    return Testbench(**options).session(path, mode)


def verify(path: StrPath, **options: Any) -> Session:
    """Run everything inside the ``with`` block for real, and compare it with a tape; nothing is written.

    For a nightly job that finds out that the world has changed. The clock is the one of the tape: paused where it was
    paused. A block that raises is not compared.

    Args:
        path: the tape.
        options: those of `Testbench`; ``fidelity`` says what counts.

    Raises:
        DriftError: at the end, when the live run is not like the tape.
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeIncompleteError, TapeDamagedError: about the tape.
    """
    return Testbench(**options).verify(path)


def effective_mode(path: StrPath, mode: str) -> str:
    """Return what a mode comes to for a tape: its own name for an alias, and what ``once`` means here and now.

    Raises:
        UsageError: there is no such mode.
    """
    chosen = ALIASES.get(mode, mode)
    one_of("mode", chosen, (*MODES, *ALIASES))
    if chosen == "once":
        return "replay" if os.environ.get("CI") or Path(path).exists() else "record"
    return chosen


def open_tape(path: StrPath) -> Tape:
    """Open a tape to look at it; see `testbench.Tape`.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeDamagedError: there is nothing to look at.
    """
    return Tape.open(path)
