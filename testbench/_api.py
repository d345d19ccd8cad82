"""The composition root: puts sessions, recorders and tapes together; the only file that sees them all."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast

import attrs

from testbench._fidelity import MODES as FIDELITIES
from testbench._header import header, warn_of_hash_seed
from testbench._once import once
from testbench._opened import Tape
from testbench._verifying import clock_of, verifying
from testbench.errors import TapeIncompleteError, TapeVersionError, UsageError
from testbench.inplace import check_supported
from testbench.inplace.real import monotonic_ns
from testbench.places import check_placeholders, places, places_of
from testbench.protocol import Matcher, Pieces, Plain, Recorder
from testbench.recorders import BUILTIN, FileSettings, Settings, TickingClock, VirtualClock, instant_ns, zone
from testbench.redaction import Redact, Redactor, as_values, check_redact, redactor
from testbench.sessions import Comparing, Order, Prefix, Recording, Replaying, Rules, Run, Session, Splicing, highest_on
from testbench.sessions._matching import guarded
from testbench.sessions._orders import ORDERS
from testbench.tape import Reader, TapeFile, Writer

MODES: Final = ("replay", "once", "record", "splice", "verify", "off")
ALIASES: Final = {"none": "replay", "all": "record", "rewrite": "record", "new_episodes": "splice"}
"""The words of the VCR family, and which of the modes each means."""

StrPath = str | os.PathLike[str]


def _start_ns(start: int | datetime.datetime | str | None) -> int | None:
    return None if start is None else instant_ns(start, "start")


def _optional_tuple(given: Iterable[str | Recorder] | None) -> tuple[str | Recorder, ...] | None:
    return None if given is None else tuple(given)


def _optional_paths(given: Iterable[StrPath] | None) -> tuple[str, ...] | None:
    if isinstance(given, str | bytes | os.PathLike):
        raise UsageError(f"roots={given!r} is one path; expected a list of directories: roots=[{given!r}]")
    return None if given is None else tuple(os.fsdecode(path) for path in given)


@attrs.frozen(kw_only=True)
class Testbench:
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
            ``"off"``: it is not. Default: ``"programs"`` where ``effects`` is ``"roots"``, else ``"off"``. On replay
            the tape decides.
        effects: ``"roots"``: what child processes do to files is recorded, and done again on replay; ``"none"``, the
            default: it is not, so that nobody pays for it who has not asked. On replay the tape decides.
        roots: with ``effects="roots"``: directories under which it is. Default: the working directory of each child,
            and those that HOME and TMPDIR name if it is given others than the program has. On replay: where these
            directories are now, in the same order.
        fidelity: in mode ``verify``, what counts as a difference: ``"byte"``, ``"semantic"``, ``"outcome"`` or
            ``"phase"``; see `testbench.fidelity`.
        environ: names of variables, or patterns with ``*``, whose values are recorded when the program goes through all
            of ``os.environ``, beside those of the locale, the terminal and the user; those it asks for by name are
            recorded anyway. With ``!`` in front: never recorded, like those that look like secrets.
        leaks: what to do at close about crossings that are not on the tape: ``"ignore"``, ``"warn"``, ``"fail"``.
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

    __test__ = False

    recorders: tuple[str | Recorder, ...] | None = attrs.field(default=None, converter=_optional_tuple)
    clock: Literal["real", "paused", "ticking"] = attrs.field(default="real")
    start: int | None = attrs.field(default=None, converter=_start_ns)
    seed: int | None = None
    interception: Literal["in-place", "name"] = attrs.field(default="in-place")
    env: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    files: Literal["off", "programs"] | None = None
    effects: Literal["none", "roots"] = attrs.field(default="none")
    roots: tuple[str, ...] | None = attrs.field(default=None, converter=_optional_paths)
    environ: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    fidelity: Literal["byte", "semantic", "outcome", "phase"] = attrs.field(default="semantic")
    leaks: Literal["ignore", "warn", "fail"] = attrs.field(default="warn")
    stall_s: float = 30.0
    order: Literal["strict", "boundary", "lane", "any"] | None = None
    shuffle: int | None = None
    meta: Mapping[str, Plain] = attrs.field(factory=dict)
    placeholders: bool | Mapping[str, str] = attrs.field(default=False, converter=check_placeholders)
    match: Mapping[str, Any] = attrs.field(factory=dict)
    redact: Redact = attrs.field(default=True, converter=check_redact)
    redact_values: tuple[str | bytes, ...] = attrs.field(default=(), converter=as_values, repr=False)

    def __attrs_post_init__(self) -> None:
        Rules(self.match)  # raises for what is none
        _one_of("clock", self.clock, ("real", "paused", "ticking"))
        _one_of("interception", self.interception, ("in-place", "name"))
        _one_of("fidelity", self.fidelity, FIDELITIES)
        _one_of("files", self.files or "off", ("off", "programs"))
        _one_of("effects", self.effects, ("none", "roots"))
        _one_of("leaks", self.leaks, ("ignore", "warn", "fail"))
        if self.order is not None:
            _one_of("order", self.order, ORDERS)
        if self.shuffle is not None and type(self.shuffle) is not int:
            raise UsageError(
                f"shuffle={self.shuffle!r} is no seed; expected an integer, or None for the recorded order"
            )
        if self.clock == "paused" and self.interception == "name":
            raise UsageError(
                'clock="paused" needs interception="in-place": locks, queues and datetime.now have no name to replace, '
                "so that a wait with a timeout would look at a clock that stands still, for ever"
            )
        if self.start is not None and self.clock == "real":
            raise UsageError('start= has a meaning only with clock="paused" or "ticking"; give both or neither')
        if self.seed is not None and type(self.seed) is not int:
            raise UsageError(f"seed={self.seed!r} is no seed; expected an integer, or None for real randomness")
        if not isinstance(self.stall_s, int | float) or not self.stall_s > 0:
            raise UsageError(f"stall_s={self.stall_s!r} is no time to wait; expected a number of seconds above 0")
        if self.effects == "roots" and self.recorders is not None and "files" not in self.recorders:
            raise UsageError('effects="roots" is recorded by the kind files; name it in recorders= too, or name none')
        for given in self.recorders or ():
            if isinstance(given, str):
                _one_of("recorders", given, tuple(BUILTIN))
            elif any(not hasattr(given, part) for part in ("kind", "version", "matchers", "install")):
                raise UsageError(
                    f"{given!r} is no recorder: expected the name of a kind, or an object with kind, version, matchers "
                    "and install"
                )

    def record(self, path: StrPath) -> Session:
        """Return a session that records to ``path``; see `record`."""
        return Session(lambda: self._begin_record(path), leaks=self.leaks)

    def replay(self, path: StrPath, *, rerecord: StrPath | None = None) -> Session:
        """Return a session that replays ``path``; see `replay`."""
        return Session(lambda: self._begin_replay(path, rerecord), leaks=self.leaks)

    def session(self, path: StrPath, mode: str = "once") -> Session:
        """Return a session in a named mode; see `session`."""
        chosen = effective_mode(path, mode)
        if chosen == "off":
            return Session(Run)
        if chosen == "record" and ALIASES.get(mode, mode) == "once":
            replay: Callable[[StrPath], Run] = lambda path: self._begin_replay(path, None)  # noqa: E731
            return Session(lambda: once(path, self.stall_s, self._begin_record, replay), leaks=self.leaks)
        begin = {"record": self.record, "replay": self.replay, "splice": self.splice, "verify": self.verify}
        return begin[chosen](path)

    def splice(self, path: StrPath) -> Session:
        """Return a session that follows ``path`` as far as the program does, and records from there on."""
        begin = self._begin_splice if Path(path).exists() else self._begin_record
        return Session(lambda: begin(path), leaks=self.leaks)

    def verify(self, path: StrPath) -> Session:
        """Return a session that runs for real and compares with ``path``; see `verify`."""
        return Session(lambda: self._begin_verify(path), leaks=self.leaks)

    def _begin_verify(self, path: StrPath) -> Run:
        with Reader.open(path) as reader:
            _check_complete(reader, path)
            like = attrs.evolve(self, **clock_of(reader.meta)) if self.clock == "real" else self
            files = FileSettings.recorded(reader.meta, self.roots)
            if files.effects:
                like = attrs.evolve(like, effects="roots", roots=files.roots)
            like = attrs.evolve(like, files="programs" if files.programs else "off")
        return verifying(Path(path), self.fidelity, like._begin_record)

    def _begin_record(self, path: StrPath) -> Run:
        self._check_interception()
        virtual = self._virtual()
        files = self._files(path)
        ordered = _orders_waits({"clock": self.clock, "relaxed": getattr(self, "order", None) or "strict"})
        settings = Settings(
            virtual=virtual, seed=self.seed, env=self.env, environ=self.environ, files=files, ordered=ordered
        )
        recorders = self._make(settings, _kinds(files))
        start_ns = None if virtual is None else virtual.start_ns
        kinds = {recorder.kind: recorder.version for recorder in recorders}
        order = Order(self.order or "strict")
        made = header(
            kinds,
            clock=self.clock,
            start_ns=start_ns,
            seed=self.seed,
            order=order.name,
            zone=zone(),
            files=files.meta,
            meta=self.meta,
        )
        redactor, found = self._redactor(), places(self.placeholders)
        if found is not None:
            made["placeholders"] = cast("Plain", found.names)
        file = TapeFile.create(path)
        with _set_aside_unless_whole(file):
            writer = Writer(file.fd, made if redactor is None else cast("dict[str, Plain]", redactor.value(made)))
        now_ns = virtual.monotonic_ns if virtual is not None and virtual.still else monotonic_ns
        mode = Recording(writer, now_ns, redactor, _pieces(recorders), order)
        way = self.interception
        return Run(
            mode=mode,
            recorders=recorders,
            interception=way,
            keep=file.commit,
            set_aside=file.set_aside,
            meta=made,
            places=found,
            streaming=_streaming(recorders),
        )

    def _redactor(self, *, replaying: bool = False, first: int = 0) -> Redactor | None:
        return redactor(self.redact, self.redact_values, environ=os.environ, replaying=replaying, first=first)

    def _files(self, path: StrPath) -> FileSettings:
        effects = self.effects == "roots"
        programs = effects if self.files is None else self.files == "programs"
        found = os.environ.get("PATH") if programs else None
        return FileSettings(effects=effects, roots=self.roots, programs=programs, path=found, tapes=(path,))

    def _virtual(self) -> VirtualClock | None:
        if self.clock == "real":
            return None
        made = VirtualClock if self.clock == "paused" else TickingClock
        return made() if self.start is None else made(self.start)

    def _begin_splice(self, path: StrPath) -> Run:
        return self._begin_replay(path, path, splice=True)

    def _begin_replay(self, path: StrPath, rerecord: StrPath | None, *, splice: bool = False) -> Run:
        self._check_interception()
        reader = Reader.open(path)
        try:
            return self._replay_of(reader, path, rerecord, splice)
        except BaseException:
            reader.close()
            raise

    def _replay_of(self, reader: Reader, path: StrPath, rerecord: StrPath | None, splice: bool) -> Run:
        _check_complete(reader, path)
        if splice:
            _check_spliceable(reader.meta, path)
        if reader.digest_name != "sha-256":
            raise TapeVersionError(
                f"{path} names the digest function {reader.digest_name!r}, which is not known here, so that nothing "
                "of it could be verified; expected sha-256. Look for damage with: testbench check, or upgrade testbench"
            )
        order = self._replay_order(reader, path)
        if order.by_lane and rerecord is not None:
            raise UsageError("rerecord= needs the recorded order; give order='strict' or 'boundary', and no shuffle=")
        recorded = _recorded(reader)
        host = reader.meta.get("host")
        files = FileSettings.recorded(reader.meta, self.roots, (path, path if rerecord is None else rerecord))
        there = host.get("zone") if isinstance(host, dict) else None
        ordered = _orders_waits(reader.meta)
        settings = Settings(
            env=self.env, environ=self.environ, zone=there, recorded=recorded, files=files, ordered=ordered
        )
        recorders = self._make(settings, tuple(recorded))
        _check_versions(recorded, recorders, path)
        warn_of_hash_seed(reader.meta)
        pieces, way = _pieces(recorders), self.interception
        found = places_of(_names(reader.meta), self.placeholders)
        file = None if rerecord is None else TapeFile.create(rerecord)

        def keep() -> None:
            reader.close()
            if file is not None:
                file.commit()

        def set_aside() -> None:
            reader.close()
            if file is not None:
                file.set_aside()

        facts = _facts(recorders)
        mode: Replaying | Splicing
        with _set_aside_unless_whole(file):
            writer = None if file is None else Writer(file.fd, reader.meta)
            if splice and writer is not None:
                redactor = self._redactor(first=highest_on(reader))
                prefix = Prefix(reader, self._comparing(recorders, redactor), writer, facts)
                mode = Splicing(writer, monotonic_ns, prefix, reader.total, redactor, pieces)
            else:
                redactor = self._redactor(replaying=True)
                comparing = self._comparing(recorders, redactor)
                mode = Replaying(
                    reader,
                    comparing,
                    stall_s=self.stall_s,
                    writer=writer,
                    redactor=redactor,
                    order=order,
                    facts=facts,
                )
        return Run(
            mode=mode,
            recorders=recorders,
            interception=way,
            keep=keep,
            set_aside=set_aside,
            meta=reader.meta,
            places=found,
            streaming=_streaming(recorders),
        )

    def _comparing(self, recorders: list[Recorder], redactor: Redactor | None) -> Comparing:
        return Comparing(_matchers(recorders), redactor, _pieces(recorders), Rules(self.match))

    def _replay_order(self, reader: Reader, path: StrPath) -> Order:
        recorded = str(reader.meta.get("relaxed", "strict"))
        chosen = self.order or recorded
        if recorded not in ORDERS or ORDERS.index(chosen) < ORDERS.index(recorded):
            raise UsageError(
                f"{path} was recorded with order={recorded!r}, so that nothing stricter can be replayed of it; leave "
                f"order= out, or record again with order={chosen!r}"
            )
        return Order(chosen, self.shuffle)

    def _check_interception(self) -> None:
        if self.interception == "in-place":
            check_supported()

    def _make(self, settings: Settings, default: tuple[str, ...]) -> list[Recorder]:
        chosen = default if self.recorders is None else self.recorders
        for given in chosen:
            if isinstance(given, str) and given not in BUILTIN:
                raise UsageError(f"the kind {given!r} is not built in; give its recorder object in recorders=[...]")
        made = [BUILTIN[given](settings) if isinstance(given, str) else given for given in chosen]
        kinds = [recorder.kind for recorder in made]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise UsageError(f"two recorders are of kind {kind!r}; every kind has one")
        return made


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
    _one_of("mode", chosen, (*MODES, *ALIASES))
    if chosen == "once":
        return "replay" if os.environ.get("CI") or Path(path).exists() else "record"
    return chosen


def open_tape(path: StrPath) -> Tape:
    """Open a tape to look at it; see `testbench.Tape`.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeDamagedError: there is nothing to look at.
    """
    return Tape.open(path)


@contextmanager
def _set_aside_unless_whole(file: TapeFile | None) -> Iterator[None]:
    """Let go of a new tape, which is locked for as long as it is written, if there is nothing that would write it."""
    try:
        yield
    except BaseException:
        if file is not None:
            file.set_aside()
        raise


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name}={value!r} is unknown; expected one of {', '.join(known)}")


def _check_complete(reader: Reader, path: StrPath) -> None:
    if not reader.complete:
        raise TapeIncompleteError(
            f"the recording of {path} never finished, so a replay of it would stop somewhere in the middle; make a "
            f"clean tape of what is there with: testbench recover {path}"
        )


def _check_spliceable(meta: Mapping[str, Plain], path: StrPath) -> None:
    if meta.get("clock", "real") != "real":
        raise UsageError(
            f"{path} was recorded with clock={meta['clock']!r}, and nobody can say how far that clock is where the "
            "program leaves its tape; mode splice needs a tape of the real clock. Record again"
        )


def _kinds(files: FileSettings) -> tuple[str, ...]:
    """Return the kinds that record, unless the user says which."""
    return tuple(kind for kind in BUILTIN if kind != "files" or files.wanted)


def _recorded(reader: Reader) -> dict[str, Plain]:
    """Return the kinds that recorded a tape, with their versions; all built-in ones where the header names none."""
    recorded = reader.meta.get("recorders")
    if isinstance(recorded, dict):
        return recorded
    return dict.fromkeys(kind for kind in _kinds(FileSettings()) if kind != "environ")  # its facts would all be missing


def _orders_waits(meta: Mapping[str, Plain]) -> bool:
    """Tell whether the session saw to the waits of several threads for one another when a tape was recorded."""
    return meta.get("clock") != "paused" and meta.get("relaxed", "strict") == "strict"


def _check_versions(recorded: dict[str, Plain], recorders: list[Recorder], path: StrPath) -> None:
    for recorder in recorders:
        version = recorded.get(recorder.kind)
        if version is not None and version != recorder.version:
            raise TapeVersionError(
                f"{path} was recorded by version {version!r} of the recorder {recorder.kind!r}, and this is version "
                f"{recorder.version}, for which an event means something else; record the tape again, or replay it "
                "with the release that made it"
            )


def _names(meta: Mapping[str, Plain]) -> list[Plain]:
    """Return the placeholders of a tape."""
    names = meta.get("placeholders")
    return names if isinstance(names, list) else []


def _streaming(recorders: list[Recorder]) -> dict[str, Collection[str]]:
    """Return per kind the ops whose bytes are pieces of streams."""
    return {recorder.kind: tuple(getattr(recorder, "pieces", ())) for recorder in recorders}


def _pieces(recorders: list[Recorder]) -> dict[str, Pieces]:
    """Return per kind and op which bytes are pieces of streams; a recorder need not have any."""
    return {
        f"{recorder.kind}.{op}": pieces
        for recorder in recorders
        for op, pieces in getattr(recorder, "pieces", {}).items()
    }


def _facts(recorders: list[Recorder]) -> set[str]:
    return {f"{recorder.kind}.{op}" for recorder in recorders for op in getattr(recorder, "facts", ())}


def _matchers(recorders: list[Recorder]) -> dict[str, Matcher]:
    named = {f"{recorder.kind}.{op}": matcher for recorder in recorders for op, matcher in recorder.matchers.items()}
    return {name: guarded(name, matcher) for name, matcher in named.items()}
