"""Children that the program starts without a Popen: it has nothing of them but their pids. Op ``spawn`` too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from testbench.protocol import Plain
from testbench.recorders.process._child import Child, Name, Outcome
from testbench.recorders.process._children import Children
from testbench.recorders.process._outputs import Outputs
from testbench.recorders.process._spawn import Spawn, inheritable, request_of
from testbench.recorders.process._stdio import channels_among, describe, outputs_of

NUMBERS: Final = {"stdin": 0, "stdout": 1, "stderr": 2}
"""The descriptors of the three standard streams."""

Run = Callable[[dict[str, int]], tuple[int, Any]]
"""Starts the child for real, with those descriptors as its streams that are given by name.

Returns its pid, and what has to live as long as the child.
"""


@attrs.define
class Streams:
    """What a child finds under its descriptors.

    Attributes:
        given: the program's descriptors that become its standard streams; a stream that has none is not there.
        shapes: what the request says of a stream, where that is more than its descriptor tells.
        passed: further descriptors of the program that it gets, by the name of the stream that they are to it.
        reached: descriptors that tell what the child opens by itself as one of its streams.
    """

    given: dict[str, int] = attrs.Factory(lambda: dict(NUMBERS))
    shapes: dict[str, Plain] = attrs.Factory(dict)
    passed: dict[str, int] = attrs.Factory(dict)
    reached: dict[str, int] = attrs.Factory(dict)

    def spawn(self, argv: Any, program: Any, env: Any) -> Spawn:
        """Return the spawn of a child that otherwise has all that the program has, as after ``fork`` and ``exec``."""
        ends = [self.given.get(name, number) for name, number in NUMBERS.items()]
        stdin, stdout, stderr = (-1 if end == number else end for number, end in enumerate(ends))
        args = list(argv) if isinstance(argv, (list, tuple)) else argv
        streams = (stdin, -1, -1, stdout, -1, stderr)
        rest = (False, None, None, None, -1, False, -1)
        return Spawn(args, program, None, False, (), None, env, None, 0, False, *streams, *rest)

    def outside(self, spawn: Spawn) -> dict[str, int]:
        """Return the descriptors of the streams that are there."""
        return {name: fd for name, fd in spawn.outside.items() if name in self.given}

    def told(self, stdio: Mapping[str, Plain]) -> dict[str, Plain]:
        """Return the fields of a request that tell what the streams are, given what the descriptors tell."""
        more = {name: shape for name, shape in self.shapes.items() if name not in self.given or stdio[name] == "file"}
        return {**stdio, **more}


@attrs.define
class Direct:
    """Starts children for one session.

    Args:
        children: the children of the session.
        env_names: environment variables that belong to a request.
    """

    children: Children
    _env_names: tuple[str, ...]
    _before: frozenset[int] = attrs.field(init=False, factory=lambda: frozenset(inheritable()))

    def start(self, argv: Any, program: Any, env: Any, streams: Streams, options: dict[str, Plain], run: Run) -> int:
        """Start a child: op ``spawn``; return the pid that the program is told.

        Args:
            argv: its arguments.
            program: the file that is run.
            env: its environment, None for that of the program.
            streams: what it finds under its descriptors.
            options: how it was started, and what else was asked.
            run: starts it.
        """
        children, spawn = self.children, streams.spawn(argv, program, env)
        stdio = streams.told(describe(spawn, -1, children.pipe_named))
        request: dict[str, Plain] = {**request_of(spawn, stdio, self._env_names), "options": options}
        inherited = {f"fd{fd}": fd for fd in inheritable() if fd > 2 and fd not in self._before}
        given = {**streams.outside(spawn), **inherited, **streams.passed}
        channels, unseen = channels_among(given, children.channels.can_join)
        if unseen is not None:
            return self._let_through(unseen, request, run)
        files = {stream: fd for stream, fd in given.items() if stream in NUMBERS and stream not in channels}
        child = Child(Name(), outputs_of(files, -1, children.pipe_named), {})
        children.births.begins(child.name, None, env)
        pid = self._spawn(child, request, run)
        reached = {name: fd for name, fd in streams.reached.items() if children.channels.can_join(fd)}
        children.channels.join(child.name, {**channels, **reached})
        return pid

    def _let_through(self, unseen: str, request: dict[str, Plain], run: Run) -> int:
        pid: int = self.children.leak(unseen, {"argv": request["argv"]}, lambda: run({})[0])
        self.children.born(Name(real_pid=pid), pid, taped=False)
        return pid

    def _spawn(self, child: Child, request: dict[str, Plain], run: Run) -> int:
        made: list[Outcome] = []

        def effect() -> Plain:
            self.children.births.starts(child.name)
            child.name.real_pid, child.world = _run(run, child.outputs)
            made.append({"pid": self.children.told(child.name.real_pid)})
            return made[-1]

        try:
            outcome = self.children.cross("spawn", request, effect, raises=(Exception,))
        except BaseException:
            child.outputs.close()
            raise
        pid: int = outcome["pid"]
        child.name.alone = child
        self.children.born(child.name, pid, taped=not made or outcome is not made[-1])
        if made:
            self.children.report_terminal(child.outputs.unseen)
        return pid


def _run(run: Run, outputs: Outputs) -> tuple[int, Any]:
    if not outputs.can_pump:
        return run({})
    with outputs.pumping() as ends:
        return run(ends)
