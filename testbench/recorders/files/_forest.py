"""The trees of one recording: those of the last children are watched, so that the next look at them costs little."""

from __future__ import annotations

from typing import Final

import attrs

from testbench.recorders.files._inotify import Inotify
from testbench.recorders.files._tree import Tree

_MOST: Final = 16
"""So many trees are watched; each holds one watch of the kernel for every directory in it."""


@attrs.define
class Forest:
    """The trees of one recording; all methods are for effects only.

    Args:
        skip: absolute paths that are in no tree.
    """

    _skip: frozenset[bytes]
    _trees: dict[tuple[bytes, frozenset[bytes]], Tree] = attrs.field(init=False, factory=dict)
    _inotify: Inotify | None = attrs.field(init=False, default=None)
    _tried: bool = attrs.field(init=False, default=False)

    def tree(self, root: bytes, others: frozenset[bytes]) -> Tree:
        """Return a tree; it is as it was at its last update.

        Args:
            root: its path, absolute and without symbolic links.
            others: paths of other trees inside of it, which are not looked at.
        """
        key = (root, others)
        tree = self._trees.pop(key, None)
        if tree is None:
            tree = Tree(root, self._skip | others, self._kernel())
        self._trees[key] = tree
        while len(self._trees) > _MOST:
            self._trees.pop(next(iter(self._trees))).forget()
        return tree

    def listen(self) -> None:
        """Let all trees know what the kernel has told; call this before a tree is updated."""
        if self._inotify is not None:
            trees = self._trees.values()
            for number, mask, name in self._inotify.events():
                for tree in trees:
                    tree.tell(number, mask, name)

    def close(self) -> None:
        """Watch nothing any more."""
        self._trees.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _kernel(self) -> Inotify | None:
        if not self._tried:
            self._tried = True
            try:
                self._inotify = Inotify()
            except OSError:  # there are too many, or this kernel has none: everything is looked at, each time
                self._inotify = None
        return self._inotify
