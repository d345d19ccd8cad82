"""What a user may set about files, and how it stands in the header of a tape."""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

from testbench.inplace import real
from testbench.protocol import Plain

_BESIDE = ("", ".partial", ".failed")
"""What a tape is called while it is written, and after."""


@attrs.frozen(kw_only=True)
class FileSettings:
    """What is recorded of files in one session.

    Attributes:
        effects: what children do to files is on the tape.
        roots: directories under which it is, None for those that each child is given.
        programs: looking for programs is on the tape.
        path: PATH as it is recorded, if looking for programs is.
        tapes: paths of the tapes of the session, which are no files of the program.
    """

    effects: bool = False
    roots: tuple[str, ...] | None = None
    programs: bool = False
    path: str | None = None
    tapes: tuple[str | os.PathLike[str], ...] = ()

    @classmethod
    def recorded(
        cls, meta: Mapping[str, Plain], roots: tuple[str, ...] | None, tapes: tuple[str | os.PathLike[str], ...] = ()
    ) -> FileSettings:
        """Return the settings under which a tape was recorded.

        Args:
            meta: its header.
            roots: where its roots are here; None for where they were.
            tapes: paths of the tapes of the session.
        """
        effects, programs, path = meta.get("effects"), meta.get("files") == "programs", meta.get("path")
        path = path if isinstance(path, str) else None
        if not isinstance(effects, dict):
            return cls(programs=programs, path=path)
        were = effects.get("roots")
        if roots is None and isinstance(were, list):
            roots = tuple(str(root) for root in were)
        return cls(effects=True, roots=roots, programs=programs, path=path, tapes=tapes)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.effects or self.programs

    @property
    def meta(self) -> dict[str, Plain]:
        """What stands in the header of a tape."""
        made: dict[str, Plain] = {"files": "programs", "path": self.path} if self.programs else {}
        if self.effects:
            made["effects"] = {"roots": None if self.roots is None else list(self.roots)}
        return made

    def declared(self) -> list[bytes] | None:
        """Return the roots that were declared, absolute."""
        return None if self.roots is None else list(map(_absolute, self.roots))

    def skipped(self) -> list[bytes]:
        """Return the paths that are never looked at, absolute."""
        return [_absolute(os.fspath(tape) + ending) for tape in self.tapes for ending in _BESIDE]


def _absolute(path: str) -> bytes:
    given = os.fsencode(path)
    return os.path.normpath(given if os.path.isabs(given) else os.path.join(real.getcwdb(), given))
