"""Words of the code: names that say what a thing is, and messages of the library that speak of no flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "spatialvae"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMED = sorted(path for folder in ("src", "tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py"))

RETIRED = {
    "law": "distribution, description, sampler or latent",
    "laws": "distributions, descriptions, samplers or latents",
    "found": "what was found: result, evaluation, paths, ...",
    "told": "what it holds: message, description, ...",
    "came": "what came: shape, value, ...",
    "said": "what it holds: message, text, ...",
}
FLAG = re.compile(r"(?<![\w(-])--[a-z]")  # var(--ink) is a style's
COMMANDS = {"comparison/cached_evaluation.py", "fitting/stage.py", "report/pages/seeds.py"}
"""Files with a command to type, which a report or a message shows as it is typed."""


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a file gives or asks for: variables, parameters, attributes, keywords, functions, classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def literals(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every text of a file but its docstrings."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.value, node.lineno


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NAMED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_is_a_retired_word(path: Path) -> None:
    wrong = [f"{path}:{line}: {name}: call it {RETIRED[name]}" for name, line in names(parsed(path)) if name in RETIRED]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_messages_of_the_library_name_settings_and_no_flags(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    if place.parts[0] == "cli" or place.as_posix() in COMMANDS:
        return
    wrong = [f"{path}:{line}: {text!r}" for text, line in literals(parsed(path)) if FLAG.search(text)]
    assert not wrong, "a setting stands between backquotes, by its name in Python:\n" + "\n".join(wrong)


def test_what_the_tests_above_would_see() -> None:
    tree = ast.parse(
        'def f(law, *, told):\n    "--ok"\n    found = x.came(said=f"give --out {law}", style="var(--ink)")'
    )
    assert {name for name, _ in names(tree)} & RETIRED.keys() == {"law", "told", "found", "came", "said"}
    assert [value for value, _ in literals(tree) if FLAG.search(value)] == ["give --out "]
