"""Docstrings parse: their sections stand apart, and each argument is a line of its own about a real parameter."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "src").rglob("*.py"))

HEADING = re.compile(r"(Args|Attributes|Returns|Raises|Yields):(.*)")
MISSPELT = re.compile(r"(Arguments|Parameters|Params|Return|Raise|Yield|Example|Examples|Note):")
NAMED = re.compile(r"(\*{0,2}[A-Za-z_][\w.]*): \S")
"""A line of `Args:` or `Raises:`: the name, a colon, the text."""

CLASSES = {
    node.name: node
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef) and node.name.startswith("Abstract")
}
"""Abstract classes by name: a class that extends one has its parameters too."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def documented(path: Path) -> Iterator[tuple[Documented, str]]:
    """Every node of a file that has a docstring, with it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node, text


def parameters(node: Documented) -> set[str] | None:
    """The names that `Args:` may hold: a function's parameters, a class's fields and those of its `__init__`."""
    if isinstance(node, ast.Module):
        return set()
    if isinstance(node, ast.FunctionDef):
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        return {argument.arg for argument in every} - {"self", "cls"}
    fields = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    made = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name in ("__init__", "__new__")]
    above = [CLASSES[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in CLASSES]
    return fields.union(*(parameters(item) or () for item in [*made, *above]))


def complaints(node: Documented, text: str) -> Iterator[str]:
    """What is wrong with the sections of one docstring."""
    lines = text.splitlines()
    known = parameters(node)
    section, entry, seen = "", 0, set()
    for number, line in enumerate(lines):
        stripped, indent = line.strip(), len(line) - len(line.lstrip())
        if heading := HEADING.fullmatch(line):
            if heading[2]:
                yield f"{heading[1]}: has text on its own line"
            if number and lines[number - 1].strip():
                yield f"{heading[1]}: no blank line before it"
            section, entry = heading[1], 0
            if number + 1 == len(lines) or not lines[number + 1].startswith(" "):
                yield f"{section}: has no entry"
        elif HEADING.fullmatch(stripped):
            yield f"{stripped} is indented"
        elif MISSPELT.fullmatch(line):
            yield f"{stripped} is no section of ours"
        elif not stripped:
            continue
        elif section and indent == 0:
            if lines[number - 1].strip():
                yield f"{section}: no blank line after it"
            section = ""
        elif section in ("Args", "Attributes", "Raises"):
            entry = entry or indent
            if indent < entry:
                yield f"{section}: {stripped!r} is less indented than the entry before"
            elif indent == entry:
                if not (named := NAMED.match(stripped)):
                    yield f"{section}: {stripped!r} does not begin with a name and a colon"
                elif section != "Raises":
                    name = named[1].lstrip("*")
                    if name in seen:
                        yield f"{section}: {name} stands twice"
                    seen.add(name)
                    if known is not None and name not in known:
                        yield f"{section}: {name} is no parameter"
                    for other in sorted((known or set()) - {name}):
                        if re.search(rf"[;,.] {other}: ", stripped):
                            yield f"{section}: {other} stands in the line of {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sections_parse(path: Path) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}: {complaint}"
        for node, text in documented(path)
        for complaint in complaints(node, text)
    ]
    assert not wrong, "\n".join(wrong)


GOOD = '''
def f(a, *, b=1, **c):
    """A sentence.

    Args:
        a: the first,
            with a second line.
        b: another.
        **c: the rest.

    Returns:
        something.

    Raises:
        ValueError: sometimes.

    >>> f(1)
    """
'''


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("", "", None),
        ("sentence.\n\n", "sentence.\n", "no blank line before"),
        ("        a: the first,\n            with", "        a: the first,\n        with", "does not begin"),
        ("b: another.", "bb: another.", "bb is no parameter"),
        ("b: another.", "a: another.", "stands twice"),
        ("with a second line.\n        b: another", "with a second line. b: another", None),
        ("the first,\n            with a second line.\n        b:", "the first. b:", "b stands in the line of a"),
        ("    Returns:\n", "    Returns: what\n", "text on its own line"),
        ("    Returns:\n", "    Return:\n", "no section of ours"),
        ("ValueError: sometimes.\n", "ValueError: sometimes.\n    It ends.\n", "no blank line after"),
    ],
)
def test_the_parser_sees_what_is_wrong(before: str, after: str, words: str | None) -> None:
    assert before in GOOD
    [(node, text)] = [pair for pair in _parsed(GOOD.replace(before, after) if before else GOOD)]
    result = list(complaints(node, text))
    assert not result if words is None else any(words in complaint for complaint in result), result


def _parsed(source: str) -> Iterator[tuple[Documented, str]]:
    for node in ast.parse(source).body:
        assert isinstance(node, ast.FunctionDef)
        yield node, inspect.cleandoc(ast.get_docstring(node) or "")
