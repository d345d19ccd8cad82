"""``os.posix_spawn`` and ``posix_spawnp``: op ``spawn``, for a child of which the program has only the pid."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs

from testbench.inplace import Redirect, real
from testbench.protocol import Plain
from testbench.recorders.process._actions import Actions, Opened, Source
from testbench.recorders.process._direct import NUMBERS, Direct, Streams
from testbench.recorders.process._pids import Pids
from testbench.recorders.process._spawn import as_plain


@attrs.define
class PosixSpawn:
    """Both functions, for one session.

    Args:
        direct: starts the children.
        pids: what the pids of the session mean.
    """

    _direct: Direct
    _pids: Pids

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        for name in ("posix_spawn", "posix_spawnp"):
            if hasattr(os, name):
                redirect = Redirect(getattr(os, name))
                stack.push(redirect)
                redirect.to(self._function(name, redirect.original))

    def _function(self, name: str, original: Callable[..., int]) -> Callable[..., int]:
        passing = self._direct.children.passing

        def function(*args: Any, **options: Any) -> int:
            if passing() or len(args) != len(("path", "argv", "env")):
                return original(*args, **options)
            return self._spawn(name, original, *args, **options)

        return function

    def _spawn(self, name: str, original: Callable[..., int], path: Any, argv: Any, env: Any, **options: Any) -> int:
        actions = Actions(options.get("file_actions"))
        asked = {"by": name, **self._asked(options, actions)}
        with _looked_at(actions) as (opened, reached):

            def run(ends: dict[str, int]) -> tuple[int, None]:
                changed = actions.but(opened, {NUMBERS[stream]: end for stream, end in ends.items()})
                more: dict[str, Any] = {} if changed is None else {"file_actions": changed}
                if "setpgroup" in options:
                    more["setpgroup"] = self._pids.real(options["setpgroup"])
                return original(path, argv, env, **{**options, **more}), None

            return self._direct.start(argv, path, env, _streams(actions, opened, reached), asked, run)

    def _asked(self, options: Mapping[str, Any], actions: Actions) -> dict[str, Plain]:
        """Return what was asked beyond program and streams, where it was asked."""
        asked: dict[str, Plain] = {}
        if "setpgroup" in options:
            asked["setpgroup"] = self._group(options["setpgroup"])
        for name in ("resetids", "setsid"):
            if name in options:
                asked[name] = _number(options[name])
        for name in ("setsigmask", "setsigdef"):
            if name in options:
                asked[name] = _numbers(options[name])
        if options.get("scheduler") is not None:
            asked["scheduler"] = True
        others: dict[str, Plain] = {
            str(fd): _shape(source) for fd, source in actions.sources.items() if fd not in NUMBERS.values()
        }
        return {**asked, "fds": others} if others else asked

    def _group(self, pgroup: Any) -> Plain:
        """Return how a request names a process group, so that it means the same when it is another number."""
        if isinstance(pgroup, int) and pgroup == os.getpgrp():
            return "own"
        name = self._pids.children.named(pgroup)
        return _number(pgroup) if name is None else {"child": self._pids.children.reference(name)}


@contextmanager
def _looked_at(actions: Actions) -> Iterator[tuple[dict[Opened, int], dict[Opened, int]]]:
    """Look at the files that become a standard stream of the child.

    Gives descriptors of those that are opened here instead of by the child, and descriptors that tell what the others
    are.
    """
    opened: dict[Opened, int] = {}
    reached: dict[Opened, int] = {}
    files = {source for fd, source in actions.sources.items() if fd in NUMBERS.values() and isinstance(source, Opened)}
    try:
        for file in sorted(files, key=actions.order):
            fd = file.open_here()
            if fd is not None:
                opened[file] = fd
            elif (fd := file.look()) is not None:
                reached[file] = fd
        yield opened, reached
    finally:
        for fd in (*opened.values(), *reached.values()):
            real.close(fd)


def _streams(actions: Actions, opened: Mapping[Opened, int], reached: Mapping[Opened, int]) -> Streams:
    """Return what the child finds under its descriptors; see `_looked_at`."""
    streams, sources = Streams(), actions.sources
    for name, number in NUMBERS.items():
        source = sources.get(number, number)
        if not isinstance(source, int):
            streams.shapes[name] = _shape(source)
        if isinstance(source, Opened):
            if source in reached:
                streams.reached[name] = reached[source]
            source = opened.get(source)
        if source is None:
            del streams.given[name]
        else:
            streams.given[name] = source
    if isinstance(sources.get(2), Opened) and sources[2] is sources.get(1):
        streams.shapes["stderr"] = "stdout"
    streams.passed = {f"fd{number}": fd for number, fd in sources.items() if number > 2 and isinstance(fd, int)}
    return streams


def _shape(source: Source) -> Plain:
    if isinstance(source, Opened):
        return {"open": as_plain(source.path), "flags": _number(source.flags), "mode": _number(source.mode)}
    return "closed" if source is None else "given"


def _number(value: Any) -> Plain:
    """Return a number as a plain value; what is none is named by its type, and CPython raises for it."""
    return int(value) if isinstance(value, int) else {"unfit": type(value).__name__}


def _numbers(values: Any) -> Plain:
    try:
        return [_number(value) for value in sorted(set(values))]
    except TypeError:
        return {"unfit": type(values).__name__}
