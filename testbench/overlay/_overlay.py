"""`Overlay`: a directory whose changes stay aside until they are applied or discarded."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Literal

from testbench.errors import OverlayError, UsageError
from testbench.inplace import check_supported, real
from testbench.inplace.elsewhere import standing
from testbench.overlay._bringing import bring
from testbench.overlay._children import Children
from testbench.overlay._comparing import Comparison, entries
from testbench.overlay._difference import Diff, difference
from testbench.overlay._ground import Ground
from testbench.overlay._guard import guarding
from testbench.overlay._redirects import Redirects
from testbench.overlay._view import View, usual_aside
from testbench.recorders.files._tree import Tree

_open: Final[list[Overlay]] = []


class Overlay:
    """A directory in which a program, and its children, may do as they like; a context manager.

    While it is open, all that is written below ``root`` goes to a directory of its own, the *view*, and all that is
    read there comes from it; the root itself stays what it was. Paths are what they were, for Python code and for
    children.

    Args:
        root: a directory; it may be a symbolic link to one.
        outside: ``"real"``: what is outside of the root is as without an overlay, but that Python code changes nothing
            there by a link in the root or by ``..`` (``PermissionError``). ``"deny"``: all of it is refused with
            ``PermissionError``, except that the interpreter and its modules can be read, and ``/dev`` and ``/proc``
            used; children can read everything there, and write nothing.
        aside: the directory in which the view is made. None for one in memory (``/dev/shm``), if there is 1 GiB more
            room than for two such roots; else for that of temporary files.

    Raises:
        UsageError: the root is no directory, or holds ``aside``; another overlay is open.
        UnsupportedError: functions cannot be redirected on this interpreter; something in the root cannot be copied.
        OSError: there is no room.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        outside: Literal["real", "deny"] = "real",
        aside: str | os.PathLike[str] | None = None,
    ) -> None:
        if outside not in ("real", "deny"):
            raise UsageError(f"outside={outside!r} is unknown; expected one of real, deny")
        self._given = os.fspath(root)
        self._deny = outside == "deny"
        self._aside = None if aside is None else os.fsencode(aside)
        self._root = ""
        self._comparison: Comparison | None = None
        self._owner = 0
        self._stack = ExitStack()

    @property
    def root(self) -> str:
        """Where it is: absolute, without symbolic links; empty before it is open."""
        return self._root

    @property
    def is_open(self) -> bool:
        """Whether it is open now."""
        return self in _open

    def open(self) -> Overlay:
        """Begin: from now on the program writes to the view.

        Raises:
            UsageError, UnsupportedError, OSError: see the class; everything is as it was.
        """
        check_supported()
        if _open:
            raise UsageError(f"the overlay of {_open[0].root} is open, and there can be but one; close it first")
        self._root, self._owner = self._resolved(), real.getpid()
        with ExitStack() as stack:
            comparison = self._begin(stack)
            ground = Ground(self._root, os.fsdecode(comparison.view), deny=self._deny)
            stack.enter_context(Redirects(ground).installed())
            stack.enter_context(Children(ground).installed())
            stack.enter_context(guarding(ground))
            stack.enter_context(standing(ground.resolved, comparison.root, comparison.view))
            stack.callback(_go_to, ground, into=False)  # before the functions are what they were
            _go_to(ground, into=True)
            self._comparison = comparison
            _open.append(self)
            stack.callback(_open.remove, self)
            self._stack = stack.pop_all()
        return self

    def close(self) -> None:
        """End: the program writes to the root again. What has not been applied is gone.

        A fork stays in it to its own end, whatever it leaves.
        """
        if real.getpid() == self._owner:
            self._stack.close()
            self._comparison = None

    def __enter__(self) -> Overlay:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def diff(self) -> Diff:
        """Return all that is another in the overlay than in the root.

        Raises:
            OverlayError: somebody has changed the root meanwhile where the overlay has; something cannot be read.
            UsageError: it is not open.
        """
        comparison = self._compared()
        return difference(comparison, comparison.changes()[1])

    def apply(self) -> None:
        """Bring all that was changed to the root, with modes and times; the overlay stays open.

        Each file appears there at once and whole. Where anything fails, the root is as it was.

        Raises:
            OverlayError: as `diff`; or something could not be done. It names the path.
            UsageError: it is not open.
        """
        comparison = self._compared()
        tree, changes = comparison.changes()
        try:
            bring(tree, changes, comparison.root)
        except OverlayError:
            comparison.look_again(changes)
            raise
        self._begin_again(comparison)

    def discard(self) -> None:
        """Forget all that was changed: the program finds the root as it is; the overlay stays open.

        Raises:
            OverlayError: as `diff`.
            UsageError: it is not open.
        """
        comparison = self._compared()
        changes = {path: change.swapped() for path, change in comparison.changes()[1].items()}
        bring(Tree(comparison.root, frozenset(), None), changes, comparison.view)
        self._begin_again(comparison)

    def _begin(self, stack: ExitStack) -> Comparison:
        root = os.fsencode(self._root)
        before = entries(Tree(root, frozenset(), None))
        size = sum(entry.size for entry in before.values())
        aside = os.path.realpath(usual_aside(size) if self._aside is None else self._aside)
        if (aside + b"/").startswith(root.rstrip(b"/") + b"/"):
            raise UsageError(
                f"changes would be kept in {os.fsdecode(aside)!r}, which is in the root {self._root!r}; give "
                "a directory elsewhere as aside="
            )
        view = View(root, aside)
        stack.callback(view.remove)
        return Comparison(root, view.path, before)

    def _begin_again(self, comparison: Comparison) -> None:
        root = comparison.root
        self._comparison = Comparison(root, comparison.view, entries(Tree(root, frozenset(), None)))

    def _resolved(self) -> str:
        try:
            fd = real.open(self._given, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{self._given!r} cannot be the root of an overlay: {error.strerror}") from error
        try:
            return real.readlink(f"/proc/self/fd/{fd}")
        finally:
            real.close(fd)

    def _compared(self) -> Comparison:
        if self._comparison is None:
            raise UsageError(f"the overlay of {self._given!r} is not open; use it in a with statement")
        return self._comparison


def _go_to(ground: Ground, *, into: bool) -> None:
    """Let the working directory, if it is in the root, be that in the view, or again that in the root."""
    try:
        here = real.getcwd()
        there = ground.real(here) if into else ground.named(here)
        if there != here:
            real.chdir(there)
    except FileNotFoundError:
        return  # it is gone, or was made here and not applied: it stays where it is
