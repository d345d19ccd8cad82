"""What a user may set about files, and how it stands in the header of a tape."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs

from testbench.inplace import real
from testbench.protocol import Plain

READS: Final = ("observed", "sealed")
"""How what the program reads can be recorded."""

_BESIDE: Final = ("", ".partial", ".failed")
"""What a tape is called while it is written, and after."""


class Changes(Protocol):
    """What holds changes of a directory; see `testbench.Overlay`."""

    def diff(self) -> Any:
        """Return the changes."""

    def apply(self) -> None:
        """Bring them to the directory."""

    def discard(self) -> None:
        """Forget them."""


@attrs.frozen(kw_only=True)
class FileSettings:
    """What is recorded of files in one session.

    Attributes:
        effects: what children do to files is on the tape.
        roots: directories under which it is, None for those that each child is given.
        programs: looking for programs is on the tape.
        reads: what the program reads is: ``"off"``, ``"observed"``: what it is, or ``"sealed"``: all of it.
        path: PATH as it is recorded, if looking for programs is.
        tapes: paths of the tapes of the session, which are no files of the program.
        overlay: holds what is changed in a directory, None for no one.
    """

    effects: bool = False
    roots: tuple[str, ...] | None = None
    programs: bool = False
    reads: str = "off"
    path: str | None = None
    tapes: tuple[str | os.PathLike[str], ...] = ()
    overlay: Changes | None = None

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
        effects, files, path = meta.get("effects"), meta.get("files"), meta.get("path")
        were = effects.get("roots") if isinstance(effects, dict) else None
        if roots is None and isinstance(were, list):
            roots = tuple(str(root) for root in were)
        return cls(
            effects=isinstance(effects, dict),
            roots=roots if isinstance(effects, dict) else None,
            programs=files in ("programs", *READS),
            reads=str(files) if files in READS else "off",
            path=path if isinstance(path, str) else None,
            tapes=tapes,
        )

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.effects or self.programs or self.overlay is not None

    @property
    def files(self) -> str:
        """The word for what is recorded besides effects, as a user gives it."""
        return self.reads if self.reads != "off" else "programs" if self.programs else "off"

    @property
    def meta(self) -> dict[str, Plain]:
        """What stands in the header of a tape."""
        made: dict[str, Plain] = {"files": self.files, "path": self.path} if self.programs else {}
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
