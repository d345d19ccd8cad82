"""The methods of ``subprocess.Popen`` that reach the world, redirected on the class itself.

``Popen`` stays CPython's own: subclasses, ``isinstance`` and earlier imports follow, and with them everything that is
built on it (``run``, ``check_output``, ``os.popen``, …). ``Popen.__init__`` runs as it is.
"""

from __future__ import annotations

import functools
import operator
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import Attribute
from testbench.protocol import Plain
from testbench.recorders.process._asyncio import Watchers
from testbench.recorders.process._child import Child, Outcome
from testbench.recorders.process._children import Children
from testbench.recorders.process._open import Opening
from testbench.recorders.process._pipes import handed_on
from testbench.recorders.process._spawn import check_signature
from testbench.recorders.process._start import Starter
from testbench.recorders.process._talk import Talk, as_number
from testbench.recorders.process._world import world_class

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
        self._usual: tuple[Any, ...] = ()
        self.world: Callable[[], type] = lambda: subprocess.Popen

    def install(self, stack: ExitStack) -> None:
        """Redirect the methods until the stack is closed.

        Raises:
            UnsupportedError: this is not the Popen that we know.
        """
        _check_popen()
        self._usual = tuple(getattr(subprocess.Popen, name) for name in _STEPS)
        redirects = {name: Attribute(subprocess.Popen, name) for name in _METHODS}
        self._originals = {name: redirect.original for name, redirect in redirects.items()}
        nowhere = self._children.nowhere
        stack.callback(nowhere.close)
        self._get_handles = nowhere.instead_of_pipes(self._originals["_get_handles"])
        self.world = world_class(self._originals)
        starting = self._originals["_execute_child"]
        watchers = Watchers(self._children, stack)
        starter = Starter(self._children, self._env_names, self.world, starting, nowhere, watchers.look)
        bodies = {name: getattr(starter if name == "_execute_child" else self, own) for name, own in _METHODS.items()}
        opened = Attribute(subprocess, "io")
        stack.push(opened)
        opened.to(Opening(self._children, opened.original))
        for name, redirect in redirects.items():
            stack.push(redirect)
            redirect.to(self._method(bodies[name], redirect.original))
        stack.callback(nowhere.end)  # before Popen is restored, which would start children with pipes that lead nowhere

    def _method(self, body: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
        children, attribute, thread = self._children, self._children.attribute, self._children.thread

        @functools.wraps(original)
        def method(face: Any, *args: Any, **kwargs: Any) -> Any:
            # A child of ours is reached through its world's half wherever it is used, also inside an effect.
            if thread.depth or (face.__dict__.get(attribute) is None and children.passing()):
                return original(face, *args, **kwargs)
            return body(face, *args, **kwargs)

        return method

    def get_handles(self, face: Any, *streams: Any) -> Any:
        """Let the pipe of one child be given to another: that is no ``fileno()`` of the program's."""
        return self._get_handles(face, *map(handed_on, streams))

    def communicate(self, face: Any, input: Any = None, timeout: Any = None) -> Any:
        """Send, receive and wait: op ``communicate``."""
        child = self._children.of(face)
        if child is None:
            return self._elsewhere("communicate", face, input, timeout)
        if self._is_piecemeal(face):
            return self._originals["communicate"](face, input, timeout)
        return Talk(self._children, face, child).communicate(input, timeout)

    def wait(self, face: Any, timeout: Any = None) -> Any:
        """Wait for the end: op ``wait``, or for a child without pipes ``communicate``, which then is the same."""
        child = self._children.of(face)
        if child is None:
            return self._elsewhere("wait", face, timeout)
        if self._is_piecemeal(face):
            return self._originals["wait"](face, timeout)
        if face.returncode is not None:
            return face.returncode
        seconds, name = as_number(timeout), self._children.reference(child.name)

        def waiting() -> Outcome:
            return self._children.timed(seconds, lambda: child.wait(seconds))

        if child.pipes:
            outcome = self._observe(child, "wait", {"child": name, "timeout": seconds}, waiting)
        else:
            request = {"child": name, "input": None, "timeout": seconds}
            outcome = self._observe(child, "communicate", request, lambda: {**_NO_STREAM, **waiting()})
        face.returncode = outcome.get("returncode")
        if outcome.get("timeout"):
            raise subprocess.TimeoutExpired(face.args, timeout)
        return face.returncode

    def _is_piecemeal(self, face: Any) -> bool:
        """Tell whether the program has put steps of its own into its Popen.

        Then CPython's code runs as it is, with these steps, and each system call is an event.
        """
        own, usual = vars(face), self._usual
        if (
            type(face) is subprocess.Popen
            and "_wait" not in own
            and "_communicate" not in own
            and "_try_wait" not in own
        ):
            now = subprocess.Popen._wait, subprocess.Popen._communicate, subprocess.Popen._try_wait  # type: ignore[attr-defined]  # private
            if now == usual:
                return False  # nearly always, and at once
        return any(
            name in own or _code_of(getattr(type(face), name)) is not _code_of(step)
            for name, step in zip(_STEPS, usual, strict=True)
        )

    def internal_poll(self, face: Any, _deadstate: int | None = None, **rest: Any) -> Any:
        """Look whether it has ended: op ``poll``. With ``_deadstate`` it is CPython's housekeeping, never an event."""
        if face.returncode is not None:
            return face.returncode
        child = self._children.of(face)
        if _deadstate is not None:
            return self._bury(face, child, _deadstate)
        if child is None:
            return self._elsewhere("_internal_poll", face, **rest)
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
        self._children.observed(child, outcome)
        return outcome

    def _bury(self, face: Any, child: Child | None, deadstate: int) -> Any:
        """Reap a child of which the program has lost sight; one that is not real must not meet the system's pids."""
        if child is None:
            return self._children.straight(lambda: self._originals["_internal_poll"](face, _deadstate=deadstate))
        if child.name.real_pid:
            self._children.straight(lambda: child.world._internal_poll(_deadstate=deadstate))
            face.returncode = child.world.returncode
        elif child.abandoned:
            face.returncode = deadstate
        child.abandoned = True  # when looked at for the first time, it still runs: most have to be looked at again
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

_STEPS: Final = ("_wait", "_communicate", "_try_wait")
"""What CPython's ``communicate`` and ``wait`` are made of; private, and yet replaced by some programs and tests."""

_USED: Final = (*_METHODS, *_STEPS, "_close_pipe_fds", "_save_input", "_translate_newlines")


def _code_of(method: Any) -> Any:
    """Return what stays the same when a function is bound to other globals; see `world_class`."""
    return getattr(method, "__code__", method)


def _check_popen() -> None:
    missing = [name for name in _USED if not hasattr(subprocess.Popen, name)]
    if missing:
        raise UnsupportedError(
            f"subprocess.Popen has no {', '.join(missing)}; expected the class of CPython 3.11 to 3.13. Use one of "
            "these versions, take away what replaced the class, or record without processes: "
            'recorders=("clock", "call").'
        )
    check_signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]  # private, hence the check
