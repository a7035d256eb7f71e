"""The tree's rules, read from the source: who imports whom, what stays light, what classes are called."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"

# From the ground up: a package imports from lower layers, and from its own layer where that makes no circle.
LAYERS = [
    {
        "errors",
        "calls",
        "_version",
        "devices",
        "estimate",
        "tensors",
        "files",
        "globals",
        "lazy_names",
        "options",
        "plugins",
        "progress",
        "records",
        "registry",
        "rounding",
        "runtime",
        "seeding",
        "sizes",
    },
    {"distributions"},
    {"latents"},
    {"posterior", "heads", "priors", "networks", "likelihoods", "imagenet"},
    {"elbo", "data", "config", "settings", "parts", "sampling", "representation", "model", "resized", "store"}
    | {"picture_grid"},
    {"encoder_outputs"},
    {"posterior_codes", "baselines"},
    {"training", "metrics"},
    {"fitting", "results"},
    {"report", "editing"},
    {"comparison", "benchmarking"},
    {"cli"},
    {"__init__", "__main__"},
]
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# Slow to import and needed by few: imported inside the function that needs them, everywhere.
LAZY = {"datasets", "gradio", "matplotlib", "pyarrow", "sklearn", "tensorboard"}
# What `--help` and `--version` must not wait for.
HEAVY = LAZY | {"accelerate", "scipy", "torch", "torchmetrics"}
LIGHT = ["spatialvae", "spatialvae.__main__", "spatialvae.errors"]


class Import(NamedTuple):
    """One import of one module: `eager` when it runs as soon as the importing module does."""

    target: str
    line: int
    eager: bool


# Concrete classes that are made to be inherited from: a kind of error, and methods that do nothing until overridden.
MEANT_FOR_IT = ("UserError", "Callback")
# The same distribution with its parameters named: a special case, which computes nothing of its own.
SPECIAL_CASES = {"MatrixNormal": "TensorNormal"}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    results = {}
    for path in sorted((SOURCE / "spatialvae").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        results[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return results


MODULES = modules()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def statements(body: list[ast.stmt], eager: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement, and whether an import runs it (not in a function, not for the type checker)."""
    for node in body:
        yield node, eager
        deferred = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for field in ("body", "orelse", "finalbody"):
            inner = eager and not deferred and not (typing_only and field == "body")
            yield from statements(getattr(node, field, []), inner)
        for handler in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from statements(handler.body, eager)


def imports(name: str) -> list[Import]:
    """What module `name` imports; `from package import module` counts as the module."""
    results = []
    for node, eager in statements(tree(MODULES[name]).body):
        if isinstance(node, ast.Import):
            results += [Import(alias.name, node.lineno, eager) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                results.append(Import(full if full in MODULES else origin, node.lineno, eager))
    return results


def own(name: str) -> bool:
    return name.split(".")[0] == "spatialvae"


def package(name: str) -> str:
    """The part of the tree a module belongs to: `spatialvae.data.cache` -> `data`."""
    return name.split(".")[1] if "." in name else "__init__"


def place(name: str, line: int) -> str:
    return f"{MODULES[name].relative_to(ROOT)}:{line}"


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names of one circle in a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_package_has_its_layer() -> None:
    strangers = sorted({package(name) for name in MODULES} - set(HEIGHT))
    assert not strangers, f"give {strangers} a place in LAYERS, and say in CONTRIBUTING.md what they are for"


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downwards(name: str) -> None:
    height = HEIGHT[package(name)]
    upwards = [
        f"{place(name, line)} imports {target}, which lies above it"
        for target, line, _ in imports(name)
        if own(target) and HEIGHT[package(target)] > height
    ]
    assert not upwards, "\n".join(upwards)


def test_packages_make_no_circle() -> None:
    graph: dict[str, set[str]] = {package(name): set() for name in MODULES}
    for name in MODULES:
        graph[package(name)] |= {package(item.target) for item in imports(name) if own(item.target)} - {package(name)}
    assert not circle(graph)


def test_modules_make_no_circle() -> None:
    # Imports inside functions count: they are for heavy packages, not for a way round a circle.
    graph = {name: {i.target for i in imports(name) if i.target in MODULES and i.target != name} for name in MODULES}
    assert not circle(graph)


@pytest.mark.parametrize("name", MODULES)
def test_no_star_and_no_import_from_a_parent(name: str) -> None:
    nodes = [node for node in ast.walk(tree(MODULES[name])) if isinstance(node, ast.ImportFrom)]
    assert not [place(name, node.lineno) for node in nodes if node.names[0].name == "*"]
    assert not [place(name, node.lineno) for node in nodes if node.level > 1]


def test_distributions_need_torch_alone() -> None:
    for name in MODULES:
        if package(name) == "distributions":
            foreign = {i.target for i in imports(name) if i.target.split(".")[0] not in sys.stdlib_module_names}
            allowed = ("torch", "spatialvae.distributions", "spatialvae.errors")
            assert not [target for target in foreign if not (target + ".").startswith(tuple(a + "." for a in allowed))]


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_where_they_are_needed(name: str) -> None:
    eager = [place(name, i.line) for i in imports(name) if i.eager and i.target.split(".")[0] in LAZY]
    assert not eager, f"import inside the function that needs it: {eager}"


@pytest.mark.parametrize("name", [name for name in MODULES if name in LIGHT or package(name) == "cli"])
def test_help_and_version_wait_for_nothing_heavy(name: str) -> None:
    # Follow the imports that run at once, through the parents' __init__ too.
    waiting, seen = [(name, name)], set()
    while waiting:
        module, way = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        parents = [".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 1)]
        waiting += [(parent, way) for parent in parents]
        for item in imports(module) if module in MODULES else []:
            if item.eager:
                assert item.target.split(".")[0] not in HEAVY, f"{way} -> {item.target}"
                if own(item.target):
                    waiting.append((item.target, f"{way} -> {item.target}"))


@pytest.mark.parametrize("name", MODULES)
def test_public_names_have_docstrings(name: str) -> None:
    module = tree(MODULES[name])
    if MODULES[name].name not in ("__main__.py",):
        assert ast.get_docstring(module), f"{place(name, 1)}: say in a sentence what this module holds"
    listed = [
        node for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    public = ast.literal_eval(listed[0].value) if listed else []
    defined = [n for n in module.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name in public]
    assert not [f"{place(name, node.lineno)} {node.name}" for node in defined if not ast.get_docstring(node)]


def test_abstract_classes_say_so_and_concrete_ones_are_final() -> None:
    classes = [(name, n) for name in MODULES for n in ast.walk(tree(MODULES[name])) if isinstance(n, ast.ClassDef)]
    # A protocol says what others are like; classes may inherit its methods.
    names = {node.name for _, node in classes if "Protocol" not in [ast.unparse(base) for base in node.bases]}
    wrong = []
    for name, node in classes:
        bases = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
        if "ABC" in bases and not node.name.lstrip("_").startswith("Abstract"):
            wrong.append(f"{place(name, node.lineno)}: {node.name} is abstract: call it Abstract{node.name}")
        concrete = {b for b in bases if b in names and not b.lstrip("_").startswith("Abstract")}
        concrete = {base for base in concrete if base not in (*MEANT_FOR_IT, node.name, SPECIAL_CASES.get(node.name))}
        wrong += [f"{place(name, node.lineno)}: {node.name} subclasses the concrete {base}" for base in concrete]
    assert not wrong
