"""Starting a child: ``Popen._execute_child`` as one crossing, op ``spawn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.process._child import Child, Name, Outcome
from testbench.recorders.process._children import Children
from testbench.recorders.process._nowhere import Nowhere
from testbench.recorders.process._outputs import Outputs
from testbench.recorders.process._pipes import Pipe, pipes_of
from testbench.recorders.process._spawn import Spawn, listed, plain_args, request_of
from testbench.recorders.process._stdio import channels_among, describe, outputs_of
from testbench.recorders.process._world import new_world

_HANDED: Final = {"stdout": "c2pwrite", "stderr": "errwrite"}


@attrs.frozen
class Starter:
    """``Popen._execute_child`` for one session.

    Args:
        children: the children of the session.
        env_names: environment variables that belong to a request.
        world: gives a class of Popen on which none of our redirects lies.
        original: what stood in Popen before.
        nowhere: where pipes lead until a child is started.
        about_to_start: is called before anything is done.
    """

    _children: Children
    _env_names: tuple[str, ...]
    _world: Callable[[], type]
    _original: Callable[..., Any]
    _nowhere: Nowhere
    _about_to_start: Callable[[], None]

    def execute_child(self, face: Any, args: Any, *rest: Any, **named: Any) -> None:
        """Start the child: op ``spawn``."""
        self._about_to_start()
        children, spawn, pipes = self._children, Spawn(listed(args), *rest, **named), pipes_of(face, self._children)
        given = spawn.outside
        if spawn.pass_fds or not spawn.close_fds:
            given |= spawn.passed
        channels, unseen = channels_among(given, children.channels.can_join)
        try:
            if unseen is None and pipes is not None:
                for stream in channels:
                    del given[stream]  # what is left are files, and what is inherited
                name = self._spawn(face, spawn, pipes, given)
                if channels:
                    children.channels.join(name, channels)
            else:
                self._let_through(unseen or "foreign_stream", face, spawn)
        finally:
            self._nowhere.forget(spawn.read_ends)

    def _let_through(self, unseen: str, face: Any, spawn: Spawn) -> None:
        """Report a child with which the program will talk unseen; from now on nothing about it is a crossing."""
        vars(face)[self._children.attribute] = None
        request: Plain = {"argv": plain_args(spawn.args)}

        def start() -> None:
            self._nowhere.make_real(spawn.read_ends, face.pipesize)
            self._original(face, *spawn)

        self._children.leak(unseen, request, start)
        self._children.born(Name(real_pid=face.pid), face.pid, taped=False)

    def _spawn(self, face: Any, spawn: Spawn, pipes: dict[str, Pipe], files: dict[str, int]) -> Name:
        children, devnull = self._children, vars(face).get("_devnull", -1)
        request = request_of(spawn, describe(spawn, devnull, children.pipe_named), self._env_names)
        child = _new_child(pipes, face.pipesize, outputs_of(files, devnull, children.pipe_named))
        made: list[Outcome] = []

        def start() -> Plain:
            made.append(self._start(face, child, spawn))
            return made[-1]

        children.births.begins(child.name, spawn.cwd, spawn.env)
        try:
            outcome = children.cross("spawn", request, start, raises=(Exception,))
        except BaseException:
            child.outputs.close()
            raise
        if not face._closed_child_pipe_fds:
            _close_childs_ends(face, spawn, devnull)
        # The waist gives back a copy of what it wrote down, and the thing itself where it wrote nothing.
        self._take_over(face, child, outcome["pid"], taped=not made or outcome is not made[-1])
        return child.name

    def _take_over(self, face: Any, child: Child, pid: int, *, taped: bool) -> None:
        self._children.born(child.name, pid, taped=taped)
        face.pid, face._child_created = pid, True
        self._children.add(face, child)
        if child.name.real_pid:
            self._children.report_terminal(child.outputs.unseen)

    def _start(self, face: Any, child: Child, spawn: Spawn) -> Outcome:
        self._nowhere.make_real(spawn.read_ends, face.pipesize)
        world = child.world = new_world(self._world(), face, child.pipes)
        leader = self._children.named(spawn.process_group)
        if leader is not None:  # the program may know it by a pid that was made up
            leader.check_real()
            spawn = spawn._replace(process_group=leader.real_pid)
        self._children.births.starts(child.name)
        try:
            _execute(world, spawn, child.outputs)
        finally:
            # The child's ends may be closed by now; a second time would close somebody else's files.
            face._closed_child_pipe_fds = world._closed_child_pipe_fds
        child.name.real_pid = world.pid
        return {"pid": self._children.told(world.pid)}


def _new_child(pipes: dict[str, Pipe], size: int, outputs: Outputs) -> Child:
    name = Name()
    for stream, pipe in pipes.items():
        pipe.join(name, stream, size)
    return Child(name, outputs, pipes)


def _execute(world: Any, spawn: Spawn, outputs: Outputs) -> None:
    if not outputs.can_pump:
        world._execute_child(*spawn)
        return
    with outputs.pumping() as ends:
        world._execute_child(*spawn._replace(**{_HANDED[name]: fd for name, fd in ends.items()}))


def _close_childs_ends(face: Any, spawn: Spawn, devnull: int) -> None:
    """Do what ``Popen._close_pipe_fds`` does, which makes more of it."""
    for fd in spawn.childs_ends:
        real.close(fd)
    if devnull != -1:
        real.close(devnull)
    face._closed_child_pipe_fds = True
