"""What the kind that starts children tells others of the same session: that one starts, that its end has been seen."""

from __future__ import annotations

from typing import Any, Protocol

import attrs


class Watcher(Protocol):
    """Who wants to know. A child is named by an object that can be referred to weakly, for as long as it is of use."""

    def begins(self, child: object, cwd: Any, env: Any) -> None:
        """Be told that a child is about to be started, on record and replay alike.

        Args:
            child: stands for the child.
            cwd: the working directory that it is given, None for that of the program.
            env: the environment that it is given, None for that of the program.
        """

    def starts(self, child: object) -> None:
        """Be told that it is started now, within the effect that does it; so never on replay."""

    def seen(self, child: object) -> None:
        """Be told that the program has just heard of it, and that it may still run; on record and replay alike."""

    def ended(self, child: object) -> None:
        """Be told that the program has just seen its end, on record and replay alike; more than once, if it asks."""


@attrs.define
class Births:
    """Who watches the children of one session.

    Attributes:
        watchers: those who want to know.
        told: absolute paths of the directories under which the tape tells what children do to files.
    """

    watchers: list[Watcher] = attrs.Factory(list)
    told: set[bytes] = attrs.Factory(set)

    def begins(self, child: object, cwd: Any, env: Any) -> None:
        """Tell all; see `Watcher`."""
        for watcher in self.watchers:
            watcher.begins(child, cwd, env)

    def starts(self, child: object) -> None:
        """Tell all; see `Watcher`."""
        for watcher in self.watchers:
            watcher.starts(child)

    def seen(self, child: object) -> None:
        """Tell all; see `Watcher`."""
        for watcher in self.watchers:
            watcher.seen(child)

    def ended(self, child: object) -> None:
        """Tell all; see `Watcher`."""
        for watcher in self.watchers:
            watcher.ended(child)
