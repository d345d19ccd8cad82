"""Where the tape of a test is: ``<module path>/<Class.test[param]>.tape``, one file for each test everywhere."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final

import pytest

_LONGEST: Final = 120
"""A name of a file may have 255 bytes, and while it is written it has ``.tape.partial`` behind it."""

_TWINS: Final = pytest.StashKey[frozenset[str]]()

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.,=+@()\[\]-]+")


def tape_path(node: pytest.Item | pytest.Collector) -> PurePosixPath:
    """Return the tape of a test, class, module or whole run, relative to the directory of tapes.

    It follows from the name of the test and from its module alone, not from which other tests were asked for.
    """
    module, _, inner = node.nodeid.partition("::")
    folder = PurePosixPath(*(part for part in PurePosixPath(module).parts if part not in ("..", "/")))
    folder = folder.with_suffix("") if folder.suffix == ".py" else folder
    if isinstance(node, pytest.Session):
        return PurePosixPath("_session.tape")
    if not inner:
        return folder.with_name(file_name(folder.name, twins=False))
    return folder / file_name(inner.replace("::", "."), twins=_has_twin(node))


def file_name(name: str, *, twins: bool) -> str:
    """Return a name that is safe and its own on every file system.

    A digest of the true name is added where the name alone would not do: it is long, has characters that files cannot
    have, or ``twins`` or a parameter with capitals, which file systems that ignore case would mix up.
    """
    parameter = name.partition("[")[2]
    safe = _UNSAFE.sub("-", name)
    if safe != name or twins or parameter != parameter.lower() or len(name) > _LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        safe = f"{safe[: _LONGEST - len(digest) - 1]}-{digest}"
    return f"{safe}.tape"


def _has_twin(node: pytest.Item | pytest.Collector) -> bool:
    """Tell whether a sibling of a test, or of a class that it is in, has the same name but for its case."""
    inner: pytest.Item | pytest.Collector | None = node
    while inner is not None and not isinstance(inner, pytest.Module):
        above = inner.parent
        name = getattr(inner, "originalname", None) or inner.name
        if above is not None and name.lower() in _twins(above):
            return True
        inner = above if isinstance(above, pytest.Item | pytest.Collector) else None
    return False


def _twins(node: Any) -> frozenset[str]:
    """Return the names, in small letters, that a module or class has more than once; asked for each of its tests."""
    if _TWINS not in node.stash:
        names = Counter(map(str.lower, getattr(getattr(node, "obj", None), "__dict__", ())))
        node.stash[_TWINS] = frozenset(name for name, count in names.items() if count > 1)
    found: frozenset[str] = node.stash[_TWINS]
    return found
