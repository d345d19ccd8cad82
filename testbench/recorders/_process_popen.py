"""The methods of ``subprocess.Popen`` that reach the world, redirected on the class itself.

``Popen`` stays CPython's own: subclasses, ``isinstance`` and earlier imports follow, and with them everything that is
built on it (``run``, ``check_output``, ``os.popen``, …). ``Popen.__init__`` runs as it is, with real pipes.
"""

from __future__ import annotations

import functools
import operator
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import Attribute
from testbench.protocol import Plain
from testbench.recorders._process_child import Child, Name, Outcome
from testbench.recorders._process_children import Children
from testbench.recorders._process_pipes import Line, Sink, Source, detach, raw_of, real_fd
from testbench.recorders._process_spawn import Spawn, as_plain, check_signature, listed, request_of
from testbench.recorders._process_stdio import describe, outputs_of, stranger_among
from testbench.recorders._process_talk import Talk, as_number
from testbench.recorders._process_world import STREAMS, new_world, world_class

WAIT_RAISES: Final = (OSError, ValueError, OverflowError)
_NO_STREAM: Final[Outcome] = {"stdout": None, "stderr": None}


class PopenMethods:
    """What stands in the class instead of CPython's methods, for one session.

    Each takes the Popen (the *face*) as its first argument, does what CPython does to that object, and leaves what
    reaches the world to an effect.
    """

    def __init__(self, children: Children, env_names: tuple[str, ...]) -> None:
        self._children = children
        self._env_names = env_names
        self._originals: dict[str, Callable[..., Any]] = {}
        self.world: type = subprocess.Popen

    def install(self, stack: ExitStack) -> None:
        """Redirect the methods until the stack is closed.

        Raises:
            UnsupportedError: this is not the Popen that we know.
        """
        _check_popen()
        redirects = {name: Attribute(subprocess.Popen, name) for name in _METHODS}
        self._originals = {name: redirect.original for name, redirect in redirects.items()}
        self.world = world_class(self._originals)
        for name, redirect in redirects.items():
            stack.callback(redirect.restore)
            redirect.to(self._method(name))

    def _method(self, name: str) -> Callable[..., Any]:
        body, original = getattr(self, _METHODS[name]), self._originals[name]

        @functools.wraps(original)
        def method(face: Any, *args: Any, **kwargs: Any) -> Any:
            if self._children.inside:
                return original(face, *args, **kwargs)
            return body(face, *args, **kwargs)

        return method

    # Starting.

    def get_handles(self, face: Any, *streams: Any) -> Any:
        """Let the pipe of one child be given to another: that is no ``fileno()`` of the program's."""
        ours = (real_fd(s) if isinstance(raw_of(s), (Source, Sink)) else s for s in streams)
        return self._originals["_get_handles"](face, *ours)

    def execute_child(self, face: Any, *args: Any, **kwargs: Any) -> None:
        """Start the child: op ``spawn``."""
        spawn = Spawn(*args, **kwargs)
        spawn = Spawn(listed(spawn.args), *spawn.values()[1:])
        unseen = "asyncio_child" if _asyncio_asks() else self._stranger(spawn)
        if unseen is None:
            self._spawn(face, spawn)
        else:
            vars(face)[self._children.attribute] = None
            argv = {
                "args": as_plain(spawn.args)
                if isinstance(spawn.args, (str, bytes))
                else list(map(as_plain, spawn.args))
            }
            self._children.leak(unseen, argv, lambda: self._originals["_execute_child"](face, *spawn.values()))
            self._children.born(Name(real_pid=face.pid), face.pid, taped=False)

    def _stranger(self, spawn: Spawn) -> str | None:
        name = stranger_among(spawn, self._children.pipe_named)
        return name and f"own_pipe_as_{name}"

    def _spawn(self, face: Any, spawn: Spawn) -> None:
        children, devnull = self._children, vars(face).get("_devnull", -1)
        request = request_of(spawn, describe(spawn, devnull, children.pipe_named), self._env_names)
        child = self._new_child(face, spawn, devnull)
        made: list[Outcome] = []

        def start() -> Plain:
            made.append(self._start(child, spawn))
            return made[-1]

        try:
            outcome = children.cross("spawn", request, start, raises=(Exception,))
        except BaseException:
            child.outputs.close()
            raise
        finally:
            # The world's half may have closed the child's ends; a second time would close somebody else's files.
            face._closed_child_pipe_fds = child.world._closed_child_pipe_fds
        if not face._closed_child_pipe_fds:
            face._close_pipe_fds(*spawn.pipe_ends)
        # The waist gives back a copy of what it wrote down, and the thing itself where it wrote nothing.
        children.born(child.name, outcome["pid"], taped=not made or outcome is not made[-1])
        face.pid, face._child_created = outcome["pid"], True
        children.add(face, child)
        if child.name.real_pid:
            self._report_unseen(child)

    def _report_unseen(self, child: Child) -> None:
        """Report what of a real child will not be on the tape."""
        if child.outputs.unseen:
            self._children.leak("terminal_output", {"streams": list(child.outputs.unseen)}, lambda: None)
        if callable(signal.getsignal(signal.SIGCHLD)):
            self._children.leak("sigchld_handler", {}, lambda: None)

    def _new_child(self, face: Any, spawn: Spawn, devnull: int) -> Child:
        children, name = self._children, Name()
        taken = {stream: detach(getattr(face, stream)) for stream in STREAMS if getattr(face, stream) is not None}
        raws = {stream: raw for stream, (raw, _) in taken.items()}
        world = new_world(self.world, face, raws, children.attribute)
        line = Line(
            lambda: children.reference(name),
            lambda op, request, effect, raises: children.cross(op, request, _on(name, effect), raises=raises),
            lambda: name.taped and not children.over,
            world,
        )
        pipes = {stream: _KIND[stream](line, stream, real_fd(raw)) for stream, raw in raws.items()}
        for stream, (_, build) in taken.items():
            setattr(face, stream, build(pipes[stream]))
        outputs = outputs_of(spawn, devnull, children.pipe_named)
        return Child(weakref.ref(face), world, name, outputs, pipes)

    def _start(self, child: Child, spawn: Spawn) -> Outcome:
        world = child.world
        with child.outputs.pumping() as ends:
            handed = {"stdout": "c2pwrite", "stderr": "errwrite"}
            world._execute_child(*spawn.replaced(**{handed[name]: fd for name, fd in ends.items()}).values())
        child.name.real_pid = world.pid
        return {"pid": self._children.told(world.pid)}

    # Observing.

    def communicate(self, face: Any, input: Any = None, timeout: Any = None) -> Any:
        """Send, receive and wait: op ``communicate``."""
        child = self._children.of(face)
        if child is None:
            return self._elsewhere("communicate", face, input, timeout)
        return Talk(self._children, face, child).communicate(input, timeout)

    def wait(self, face: Any, timeout: Any = None) -> Any:
        """Wait for the end: op ``wait``, or for a child without pipes ``communicate``, which then is the same."""
        child = self._children.of(face)
        if child is None:
            return self._elsewhere("wait", face, timeout)
        if face.returncode is not None:
            return face.returncode
        seconds, name = as_number(timeout), self._children.reference(child.name)
        if child.pipes:
            outcome = self._observe(child, "wait", {"child": name, "timeout": seconds}, lambda: child.wait(seconds))
        else:
            request = {"child": name, "input": None, "timeout": seconds}
            outcome = self._observe(child, "communicate", request, lambda: {**_NO_STREAM, **child.wait(seconds)})
        face.returncode = outcome.get("returncode")
        if outcome.get("timeout"):
            raise subprocess.TimeoutExpired(face.args, timeout)
        return face.returncode

    def internal_poll(self, face: Any, _deadstate: int | None = None, **rest: Any) -> Any:
        """Look whether it has ended: op ``poll``. With ``_deadstate`` it is CPython's housekeeping, never an event."""
        child = self._children.of(face)
        if _deadstate is not None:
            return self._bury(face, child, _deadstate)
        if child is None:
            return self._elsewhere("_internal_poll", face, **rest)
        if face.returncode is None:
            outcome = self._observe(child, "poll", {"child": self._children.reference(child.name)}, child.poll)
            face.returncode = outcome.get("returncode")
        return face.returncode

    def send_signal(self, face: Any, sig: Any) -> None:
        """Send a signal: op ``signal``. ``terminate`` and ``kill`` come here too."""
        child = self._children.of(face)
        if child is None:
            self._elsewhere("send_signal", face, sig)
        elif face.returncode is None:
            number = operator.index(sig)
            request: Plain = {"child": self._children.reference(child.name), "signal": number}
            outcome = self._observe(child, "signal", request, lambda: child.signal(number))
            face.returncode = outcome.get("returncode")

    def _observe(self, child: Child, op: str, request: Plain, effect: Callable[[], Plain]) -> Outcome:
        outcome = self._children.cross(op, request, effect, raises=WAIT_RAISES)
        child.observed(outcome)
        return outcome

    def _bury(self, face: Any, child: Child | None, deadstate: int) -> Any:
        """Reap a child of which the program has lost sight; one that is not real must not meet the system's pids."""
        if child is None:
            return self._children.straight(lambda: self._originals["_internal_poll"](face, _deadstate=deadstate))
        if face.returncode is None:
            if child.name.real_pid:
                self._children.straight(lambda: child.world._internal_poll(_deadstate=deadstate))
                face.returncode = child.world.returncode
            else:
                face.returncode = deadstate
        return face.returncode

    def _elsewhere(self, name: str, face: Any, *args: Any, **kwargs: Any) -> Any:
        """Deal with a Popen that is not on the tape: started before the session, or reported when it started."""
        children, original = self._children, self._originals[name]
        if children.attribute in vars(face):
            return children.straight(lambda: original(face, *args, **kwargs))
        op = f"{name.removeprefix('_internal_')}_of_older_child"
        return children.leak(op, {"pid": face.pid}, lambda: original(face, *args, **kwargs))


_METHODS: Final = {
    "_get_handles": "get_handles",
    "_execute_child": "execute_child",
    "communicate": "communicate",
    "wait": "wait",
    "_internal_poll": "internal_poll",
    "send_signal": "send_signal",
}

_USED: Final = (*_METHODS, "_close_pipe_fds", "_save_input", "_translate_newlines")

_KIND: Final = {"stdin": Sink, "stdout": Source, "stderr": Source}


def _check_popen() -> None:
    missing = [name for name in _USED if not hasattr(subprocess.Popen, name)]
    if missing:
        raise UnsupportedError(
            f"subprocess.Popen has no {', '.join(missing)}; expected the class of CPython 3.11 to 3.13. Use one of these "
            'versions, take away what replaced the class, or record without processes: recorders=("clock", "call").'
        )
    check_signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]  # private, hence the check


def _on(name: Name, effect: Callable[[], Plain]) -> Callable[[], Plain]:
    def checked() -> Plain:
        name.check_real()
        return effect()

    return checked


def _asyncio_asks() -> bool:
    """Tell whether asyncio starts this child: it will use the pipes below every stream object."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not subprocess.Popen.__init__.__code__:
        frame = frame.f_back
    asking = frame and frame.f_back
    return asking is not None and str(asking.f_globals.get("__name__", "")).startswith("asyncio.")
