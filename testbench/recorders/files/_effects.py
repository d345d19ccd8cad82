"""What children do to files: op ``changed`` when the program has seen the end of one, ``more`` for what did not fit."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace.elsewhere import elsewhere_in
from testbench.protocol import Call, Effect, Plain
from testbench.recorders._births import Births
from testbench.recorders.files._apply import Applying
from testbench.recorders.files._capture import batches, changes_of, text
from testbench.recorders.files._forest import Forest
from testbench.recorders.files._roots import Root, resolved, roots_of
from testbench.recorders.files._undo import ApplyError

_READABLE: Final = "make it readable for the program, or keep it out of the roots"
_NO_RIGHTS: Final = "a replay makes it without setuid and setgid: set them in the program itself (os.chmod)"
_FILES: Final = ("file", "written", "meta")
_PERMISSIONS: Final = 0o777
_SAME: Final = "see to that, let the roots hold here what they held when this was recorded, and replay again"


class Effects:
    """The effects of all children of one session; see `testbench.recorders._births.Watcher`.

    Args:
        call: the waist.
        declared: directories to look at, instead of those that each child is given.
        skip: paths that are never looked at.
    """

    def __init__(self, call: Call, declared: Sequence[bytes] | None, skip: Iterable[bytes]) -> None:
        self._call = call
        self._declared = declared
        self._forest = Forest(frozenset(map(resolved, skip)))
        self._roots: weakref.WeakKeyDictionary[Any, list[Root]] = weakref.WeakKeyDictionary()
        self._running: weakref.WeakSet[Any] = weakref.WeakSet()
        self._told: set[bytes]

    def install(self, births: Births, stack: ExitStack) -> None:
        """Watch children until the stack is closed."""
        births.watchers.append(self)
        self._told = births.told
        stack.callback(self._forest.close)
        stack.callback(births.watchers.remove, self)

    def begins(self, child: object, cwd: Any, env: Any) -> None:
        """Note where a child may leave something."""
        self._roots[child] = roots = roots_of(cwd, env, self._declared)
        self._told.update(root.path for root in roots)

    def starts(self, child: object) -> None:
        """See how its roots stand, unless somebody who changes them runs already."""
        busy = {root.path for other in self._running for root in self._roots.get(other, ())}
        self._forest.listen()
        for root, _, tree in self._trees(self._roots[child]):
            if tree.is_new or root.path not in busy:
                tree.update()
        self._running.add(child)

    def seen(self, child: object) -> None:
        """Bring what it has done so far."""
        roots = self._roots.get(child)
        if roots is not None:
            self._cross(roots)

    def ended(self, child: object) -> None:
        """Bring what it did to files onto the tape; or from the tape to the files, where it did not run."""
        roots = self._roots.pop(child, None)
        if roots is not None:
            self._running.discard(child)
            self._cross(roots)

    def _cross(self, roots: list[Root]) -> None:
        performed: list[Iterator[tuple[list[Plain], bool]]] = []

        def effect() -> Plain:
            if not performed:
                performed.append(batches(self._changes(roots)))
            return _outcome(*next(performed[0]))

        request: Plain = {"roots": [root.name for root in roots]}
        first = self._call("changed", request, effect)
        changes = self._all_of(first, effect)
        if performed:
            for change in changes:
                self._check_read(change)
                self._check_rights(change)
        else:
            self._apply(changes, _Applying(roots))

    def _all_of(self, outcome: Any, effect: Effect) -> Iterator[Any]:
        """Give all changes; op ``more`` brings what did not fit in the event before."""
        yield from _changes_in(outcome)
        while outcome["more"]:
            outcome = self._call("more", None, effect)
            yield from _changes_in(outcome)

    def _changes(self, roots: list[Root]) -> Iterator[list[Plain]]:
        self._forest.listen()
        for root, at, tree in self._trees(roots):
            for change in changes_of(root.name, tree, tree.update()):
                change[1] = "/".join(filter(None, (at, str(change[1]))))
                yield change

    def _trees(self, roots: list[Root]) -> Iterator[tuple[Root, str, Any]]:
        """Give the trees of each root, and under which path in it: what an overlay holds of it is one of its own."""
        paths = frozenset(root.path for root in roots)
        for root in roots:
            apart = elsewhere_in(root.path)
            others = _below(root.path, paths) | {os.path.join(root.path, at) for at in apart}
            yield root, "", self._forest.tree(root.path, others)
            for at, view in apart.items():
                if view not in paths:
                    yield root, text(at), self._forest.tree(view, _below(view, paths))

    # What comes of it.

    def _check_read(self, change: Any) -> None:
        """Report what could not be read while recording; a replay refuses that."""
        if change[2] == "unread":
            request: Plain = {"path": change[1], "reason": change[5]}
            self._call.leak("unread", request, lambda: None, instead=_READABLE)

    def _check_rights(self, change: Any) -> None:
        """Report a file that has rights which a replay gives none."""
        _, path, what, mode, *_ = change
        if what in _FILES and mode & ~_PERMISSIONS:
            self._call.report("rights", {"path": path, "mode": oct(mode)}, instead=_NO_RIGHTS, refused=False)

    def _apply(self, changes: Iterable[Any], applying: _Applying) -> None:
        try:
            for change in changes:
                self._check_read(change)
                applying.add(change)
            applying.finish()
        except (ApplyError, ValueError, TypeError, LookupError) as error:  # a tape may say anything
            told = f"what a child did to files could not be done again here: {applying.undo(error)}; {_SAME}"
            self._call.leak("apply", {}, lambda: None, instead=told)
        except BaseException:
            applying.roll_back()
            raise


def _below(directory: bytes, paths: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(path for path in paths if path.startswith(directory.rstrip(b"/") + b"/"))


def _outcome(changes: list[Any], more: bool) -> dict[str, Plain]:
    """Return the outcome of an event; times stand apart: no two runs share them."""
    times: list[Plain] = [change.pop(4) for change in changes]
    return {"changes": changes, "mtime_ns": times, "more": more}


def _changes_in(outcome: Any) -> Iterator[list[Any]]:
    for change, mtime_ns in zip(outcome["changes"], outcome["mtime_ns"], strict=True):
        yield [*change[:4], mtime_ns, *change[4:]]


class _Applying:
    """The changes of one event in all of its roots."""

    def __init__(self, roots: list[Root]) -> None:
        self._roots = {root.name: root.path for root in roots}
        self._places: dict[bytes, Applying] = {}

    def add(self, change: Any) -> None:
        """Take one change.

        Raises:
            ApplyError: there is no such root here, or it cannot be done; as `finish`.
        """
        name, path, what, mode, mtime_ns, content = change
        root = self._roots.get(name)
        if root is None:
            here = ", ".join(self._roots)
            raise ApplyError(os.fsencode(f"{path}"), f"this is in the root {name!r}, and here the child has {here}")
        for at, view in elsewhere_in(root).items():
            if isinstance(path, str) and f"{path}/".startswith(text(at) + "/"):
                root, path = view, path[len(text(at)) + 1 :]
        place = self._places.get(root)
        if place is None:
            place = self._places[root] = Applying(root)
        place.add(path, what, mode, mtime_ns, content)

    def finish(self) -> None:
        """Do all of it."""
        for place in self._places.values():
            place.commit()
        for place in self._places.values():
            place.close()

    def roll_back(self) -> None:
        """Bring back what was there before; nothing happens where that is done already.

        Raises:
            ApplyError: something could not be brought back.
        """
        for place in reversed(self._places.values()):
            place.roll_back()

    def undo(self, error: Exception) -> str:
        """Bring back what was there before, because of an error; return what that comes to."""
        try:
            self.roll_back()
        except ApplyError as another:
            return f"{error}, and {another}"
        return f"{error}. All is as it was before"
