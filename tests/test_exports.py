from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import testbench

PACKAGE = Path(testbench.__file__).parent
DOORWAYS = sorted(
    ".".join(path.relative_to(PACKAGE.parent).parent.parts)
    for path in PACKAGE.rglob("__init__.py")
    if "__all__" in path.read_text(encoding="utf-8")
)


def imported(path: Path, package: str) -> set[str]:
    """Return the public names that a doorway imports from its own rooms."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package + ".")
        for alias in node.names
    ]
    return {name for name in names if not name.startswith("_")}


def test_there_are_doorways() -> None:
    """The root and every layer with a public face say what that is."""
    assert {"testbench", "testbench.inplace", "testbench.recorders", "testbench.sessions", "testbench.tape"} <= set(
        DOORWAYS
    )


@pytest.mark.parametrize("name", DOORWAYS)
def test_a_doorway_lists_its_names_once_and_has_them_all(name: str) -> None:
    """Each name of __all__ exists; the linter keeps them in order."""
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", DOORWAYS)
def test_a_doorway_exports_all_that_it_imports(name: str) -> None:
    """What a doorway takes from its rooms is there to be passed on."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert imported(Path(module.__file__), name) <= set(module.__all__)


def test_every_public_name_is_documented() -> None:
    """Each name of the root says in its docstring what it is."""
    bare = [name for name in testbench.__all__ if not (getattr(testbench, name).__doc__ or "").strip()]
    assert bare == []


def test_every_module_can_be_imported() -> None:
    """No file of the package is dead: each one imports."""
    names = [module.name for module in pkgutil.walk_packages(testbench.__path__, "testbench.")]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    assert "testbench.errors" in names
