"""The kind ``files``: what children leave in files, which the program sees without asking anybody.

Op ``changed``, when the program has seen the end of a child, or heard of one that may still run (what it writes,
that it runs): all that is different under its roots (its working
directory, and HOME and TMPDIR where it was given others than the program's; or those that were declared) since it
started. On replay that is done to the same directories then; so the program finds the files that the child made. See
`testbench.recorders.files._capture` for what a change says.

Ops ``which``, ``stat``, ``lstat``, ``access``, ``readlink``: looking for programs, see
`testbench.recorders.files._lookups`; and what the program reads itself: these and others, see
`testbench.recorders.files._reads`.

Paths are relative to their root, so a tape made in one directory can be replayed in another. What a tape says is never
done outside of the roots: not by ``..``, not by way of a symbolic link. What cannot be done again (the disk is full, a
directory that should be gone is not empty here) ends the replay, and leaves the tree as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from testbench.errors import UsageError
from testbench.inplace import UndoStack, real
from testbench.protocol import Call, Matcher, Pieces, Plain
from testbench.recorders._births import Births
from testbench.recorders.files._effects import Effects
from testbench.recorders.files._lookups import Lookups
from testbench.recorders.files._opening import PIECES
from testbench.recorders.files._policy import Policy
from testbench.recorders.files._reads import Reads
from testbench.recorders.files._settings import Changes, FileSettings


def _anywhere(recorded: Plain, live: Plain) -> str | None:
    """Let a child have other roots than it had: what of its doings has no place here is refused when it is met."""
    return None


def _standard_streams() -> list[bytes]:
    """Return the files that the program writes its output to: what comes there is no doing of a child's alone."""
    found = []
    for fd in (1, 2):
        try:
            found.append(real.readlink(b"/proc/self/fd/%d" % fd))
        except OSError:  # it is closed
            continue
    return found


class Files:
    """The recorder of kind ``files``.

    Args:
        settings: what is recorded.
        births: who starts children.
    """

    kind = "files"
    version = 1
    matchers: Mapping[str, Matcher] = {"changed": _anywhere}
    pieces: Mapping[str, Pieces] = PIECES

    def __init__(self, settings: FileSettings, births: Births) -> None:
        self._settings = settings
        self._births = births

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send what children do to files through ``call``; see `testbench.protocol.Recorder`."""
        settings = self._settings
        with UndoStack() as stack:
            if settings.reads != "off":
                policy = Policy(settings.skipped())
                Reads(call, policy, observed=settings.reads == "observed").install(stack)
            if settings.programs:
                Lookups(call, settings.path).install(stack)
            if settings.effects:
                skip = (*settings.skipped(), *_standard_streams())
                Effects(call, settings.declared(), skip).install(self._births, stack)
            yield

    def diff(self) -> Any:
        """Return what has been changed in the overlay of the session; see `testbench.Overlay.diff`.

        Raises:
            UsageError: it has none.
        """
        return self._overlay.diff()

    def apply(self) -> None:
        """Bring that to the directory; see `testbench.Overlay.apply`.

        Raises:
            UsageError: the session has no overlay.
        """
        self._overlay.apply()

    def discard(self) -> None:
        """Forget it; see `testbench.Overlay.discard`.

        Raises:
            UsageError: the session has no overlay.
        """
        self._overlay.discard()

    @property
    def _overlay(self) -> Changes:
        if self._settings.overlay is None:
            raise UsageError("this session has no overlay, so its changes are real; give the directory as overlay=")
        return self._settings.overlay
