"""Imports point one way: each layer knows the ones below it and no other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import wiretape

PACKAGE = Path(wiretape.__file__).parent
ALLOWED = {
    "errors": set(),
    "core": {"errors", "core"},
    "cassette": {"errors", "core", "cassette"},
    "analysis": {"errors", "core", "analysis"},
    "viewer": {"errors", "core", "cassette", "analysis", "viewer"},
    "environment": {"errors", "core"},
    "pyproject": {"errors"},
    "variables": {"errors", "pyproject"},
    "server": {"errors", "core", "cassette", "analysis", "viewer", "server"},
    "testing": {
        *("errors", "core", "cassette", "analysis", "server", "environment", "pyproject"),
        *("variables", "testing"),
    },
    "pytest_plugin": {"errors", "testing"},
    "cli": {
        *("errors", "core", "cassette", "analysis", "viewer", "server", "environment"),
        *("pyproject", "variables", "cli"),
    },
}
PURE = ("core", "analysis")
IMPURE = {
    "asyncio",
    "aiohttp",
    "yaml",
    "time",
    "pathlib",
    "os",
    "socket",
    "threading",
    "subprocess",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported at run time: `if TYPE_CHECKING` blocks are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from imported(other)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        else:
            yield from imported(node)


def layer(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_is_below_it(module: Path):
    if module == PACKAGE / "__init__.py":
        return
    names = list(imported(ast.parse(module.read_text("utf-8"))))
    ours = {name.split(".")[1] for name in names if name.startswith("wiretape.")}
    assert ours <= ALLOWED[layer(module)]
    if layer(module) in PURE:
        assert not IMPURE & {name.split(".")[0] for name in names}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_opens_with_what_it_knows_and_can_be_held_in_mind(module: Path):
    text = module.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400
