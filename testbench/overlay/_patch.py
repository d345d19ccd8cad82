"""A diff as ``git apply`` takes it: the headers, and what is said of each path (git-diff(1), "patch text")."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

from testbench.errors import OverlayError
from testbench.overlay._difference import Change, State
from testbench.overlay._hunks import binary, is_text, text

_MOST: Final = (1 << 30) - 1
"""``git apply`` takes no larger patch."""

_NOTHING: Final = b"0" * 40
_OWN: Final = re.compile(rb"(?i)(\.git|git~1)[ .]*([\\:].*)?")
"""Names of directories that git takes for its own, and no patch may change."""

_ESCAPES: Final = {
    **{code: b"\\%03o" % code for code in (*range(0x20), *range(0x7F, 0x100))},
    **{
        ord(char): b"\\" + escape
        for char, escape in zip('\a\b\t\n\v\f\r"\\', b'a b t n v f r " \\'.split(), strict=True)
    },
}


def patch(changes: Iterable[Change]) -> bytes:
    """Return changes as a patch; see `testbench.overlay.Diff.patch`.

    Raises:
        OverlayError: a content is gone, or too large.
    """
    told: list[bytes] = []
    untold: list[str] = []
    for change in changes:
        if _is_of_git(change):
            untold.append(f"{change.path!r} is in a directory of git")
        else:
            untold += _untold(change)
            told += _told(change)
    notes = [f"# not in this patch: {line}\n".encode("utf-8", "backslashreplace") for line in untold]
    return b"".join([*notes, *told])


def quoted(name: bytes) -> bytes:
    """Return a name as git writes it: in quotes if it has characters that are none (``core.quotePath``)."""
    escaped = b"".join(_ESCAPES.get(code) or bytes((code,)) for code in name)
    return name if escaped == name else b'"' + escaped + b'"'


def _untold(change: Change) -> Iterator[str]:
    """Say what of a change git does not know."""
    name = repr(change.path)
    for state, verb in ((change.before, "was"), (change.after, "is")):
        if state is not None and state.kind not in ("file", "link"):
            yield f"{name} {verb} a {state.kind}"
    after = change.after
    if after is not None and after.kind == "file":
        usual = 0o755 if after.mode & 0o100 else 0o644
        if after.mode != usual and (change.before is None or change.before.mode != after.mode):
            yield f"{name} has mode {after.mode:04o}, here it gets {usual:04o}"


def _is_of_git(change: Change) -> bool:
    paths = [os.fsencode(path) for path in (change.path, change.old_path) if path is not None]
    return any(_OWN.fullmatch(part) for path in paths for part in path.split(b"/"))


def _told(change: Change) -> Iterator[bytes]:
    before, after = _known(change.before), _known(change.after)
    if before is not None and after is not None and before.kind != after.kind:
        yield _part(change, before, None)  # git knows no other way to say it
        yield _part(change, None, after)
    elif before is not None or after is not None:
        yield _part(change, before, after)


def _known(state: State | None) -> State | None:
    return state if state is not None and state.kind in ("file", "link") else None


def _part(change: Change, before: State | None, after: State | None) -> bytes:
    new = os.fsencode(change.path)
    old = new if change.old_path is None else os.fsencode(change.old_path)
    old_content, new_content = _content(change, before), _content(change, after)
    lines = [b"diff --git %s %s" % (quoted(b"a/" + old), quoted(b"b/" + new)), *_modes(before, after)]
    if old != new:
        lines += [b"similarity index 100%", b"rename from " + quoted(old), b"rename to " + quoted(new)]
    if old_content == new_content and before is not None and after is not None:
        return b"" if len(lines) == 1 else b"\n".join(lines) + b"\n"  # git knows nothing of it
    mode = b" %s" % _mode(after) if before is not None and after is not None and _mode(before) == _mode(after) else b""
    lines.append(b"index %s..%s%s" % (_name(old_content), _name(new_content), mode))
    head = b"\n".join(lines) + b"\n"
    if not old_content and not new_content:
        return head
    if is_text(old_content) and is_text(new_content):
        return (
            head
            + _named(b"---", b"a/" + old, before)
            + _named(b"+++", b"b/" + new, after)
            + text(old_content or b"", new_content or b"")
        )
    return head + binary(old_content or b"", new_content or b"")


def _content(change: Change, state: State | None) -> bytes | None:
    if state is None:
        return None
    if state.size > _MOST:
        raise OverlayError(
            f"{change.path!r} has {state.size} bytes, and git takes no patch of 1 GiB; use apply(), or leave it out: "
            "Diff(change for change in diff if …).patch()",
            change.path,
        )
    return state.content()


def _modes(before: State | None, after: State | None) -> list[bytes]:
    if before is None:
        return [b"new file mode " + _mode(after)]
    if after is None:
        return [b"deleted file mode " + _mode(before)]
    old, new = _mode(before), _mode(after)
    return [] if old == new else [b"old mode " + old, b"new mode " + new]


def _mode(state: State | None) -> bytes:
    assert state is not None
    return b"120000" if state.kind == "link" else b"100755" if state.mode & 0o100 else b"100644"


def _name(content: bytes | None) -> bytes:
    """Return what git calls a content (gitformat-pack: the SHA-1 of a blob)."""
    if content is None:
        return _NOTHING
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest().encode()


def _named(mark: bytes, name: bytes, state: State | None) -> bytes:
    shown = b"/dev/null" if state is None else quoted(name)
    return mark + b" " + shown + (b"\t\n" if b" " in shown and not shown.startswith(b'"') else b"\n")
