"""Bringing what differs between two trees from one to the other: all of it, or where that fails nothing."""

from __future__ import annotations

import os

from testbench.errors import OverlayError
from testbench.recorders.files._apply import Applying
from testbench.recorders.files._capture import changes_of
from testbench.recorders.files._tree import Change, Tree
from testbench.recorders.files._undo import ApplyError


def bring(tree: Tree, changes: dict[bytes, Change], target: bytes) -> None:
    """Do to another tree what makes it the same as this one.

    Args:
        tree: the one that has what is wanted.
        changes: what is another in it than in the other, parents before children.
        target: the root of the other tree, absolute, without symbolic links.

    Raises:
        OverlayError: it cannot be done; the other tree is as it was.
    """
    applying = Applying(target, whole=True)
    try:
        for _, path, what, mode, mtime_ns, content in changes_of("", tree, changes):
            if what == "unread":
                raise ApplyError(os.fsencode(str(path)), f"it cannot be read ({content!r})")
            applying.add(path, what, mode, mtime_ns, content)
        applying.commit()
    except ApplyError as error:
        raise _failed(error, _rolled_back(applying)) from error
    except BaseException:
        applying.roll_back()
        raise
    try:
        applying.close()
    except (ApplyError, OSError) as error:
        raise _failed(error, "All is done, but something was left behind") from error


def _rolled_back(applying: Applying) -> str:
    try:
        applying.roll_back()
    except (ApplyError, OSError) as another:
        return f"Not all could be brought back: {another}"
    return "Nothing was changed"


def _failed(error: Exception, outcome: str) -> OverlayError:
    path = error.path if isinstance(error, ApplyError) else ""
    return OverlayError(
        f"the overlay could not be applied: {error}. {outcome}. See to that, and apply it again; diff().patch() is the "
        "same as a patch.",
        path,
    )
