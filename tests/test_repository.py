"""The files around the code: they exist, agree with each other, stay short, and are safe to open."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from spatialvae._version import __version__
from tests.cli.plugin_files import forgotten

ROOT = Path(__file__).resolve().parent.parent
THIS = Path(__file__).resolve()
LONGEST = 300


def tracked() -> list[Path]:
    """The files of the repository: what git has or would take; without git, all but outputs."""
    if shutil.which("git"):
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    outputs = {"runs", "build", "dist", "site", "__pycache__"}
    files = (path for path in ROOT.rglob("*") if path.is_file())
    hidden = {part for path in ROOT.iterdir() if (part := path.name).startswith(".") and part != ".ci"}
    return [path for path in files if not {*path.relative_to(ROOT).parts} & (outputs | hidden)]


TRACKED = tracked()
PYTHON = [path for path in TRACKED if path.suffix == ".py"]
MARKDOWN = [path for path in TRACKED if path.suffix == ".md"]

FORBIDDEN = {
    r"\bTODO\b|\bFIXME\b": "finish it, or say in the documentation what is missing",
    r"(?<![\w.~-])/work\b|\.\./shared\b": "a path of somebody's machine",
    r"allow_pickle\s*=\s*True": "a file of arrays must not be able to run code",
}
FORBIDDEN_NAMES = {
    r"\blog_?var\b": "scale (a standard deviation), scale_tril or covariance",
    r"\bMVN\b": "torch readers take it for MultivariateNormal",
    r"\bclass (Base\w*|\w*Manager)\b": "name what the class is; abstract ones start with Abstract",
}


def text(path: Path) -> str:
    """The text of a file, nothing of a picture."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def findings(paths: list[Path], rules: dict[str, str]) -> list[str]:
    """Each line that matches a rule, and why it should not."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group()!r}: {why}"
        for path in paths
        if path != THIS
        for number, line in enumerate(text(path).splitlines(), 1)
        for pattern, why in rules.items()
        if (match := re.search(pattern, line))
    ]


def test_no_forbidden_words() -> None:
    assert not findings(TRACKED, FORBIDDEN)
    assert not findings([path for path in PYTHON if ROOT / "src" in path.parents], FORBIDDEN_NAMES)


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled(path: Path) -> None:
    wrong = []
    for node in ast.walk(ast.parse(text(path))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        wrong += {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"} & set(names)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            wrong += [] if options.get("weights_only") == "True" else ["torch.load without weights_only=True"]
    assert not wrong


def test_files_are_short_and_named_for_what_they_hold() -> None:
    lengths = {path.relative_to(ROOT): len(text(path).splitlines()) for path in PYTHON}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST}
    vague = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert not [str(path) for path in lengths if vague & {path.stem, *path.parts}]


def test_every_file_states_the_same_version() -> None:
    citation = yaml.safe_load(text(ROOT / "CITATION.cff"))
    assert citation["version"] == __version__
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert re.search(r"^## \[Unreleased\]$", text(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_licence_and_citation() -> None:
    assert "Apache License" in text(ROOT / "LICENSE")
    citation = yaml.safe_load(text(ROOT / "CITATION.cff"))
    assert citation["license"] == "Apache-2.0"
    paper = citation["preferred-citation"]
    assert paper["title"] == "Spatial Variational Auto-Encoding via Matrix-Variate Normal Distributions"
    assert [author["family-names"] for author in paper["authors"]] == ["Wang", "Yuan", "Ji"]
    assert "1705.06821" in paper["url"]


def test_constraints_pin_every_direct_dependency() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", text(ROOT / "constraints.txt"), re.MULTILINE))
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in wanted}
    assert names <= set(pins), f"pin {names - set(pins)} in constraints.txt"
    capped = [requirement for requirement in wanted if re.search(r"<|==|~=", requirement)]
    assert not capped, "lower bounds only: the versions tested with belong in constraints.txt"


def commands(path: Path) -> list[str]:
    """The command lines of a file: of a page, its code blocks and code spans; else every line."""
    content = text(path).replace("\\\n", " ")
    if path.suffix != ".md":
        return content.splitlines()
    fence = re.compile(r"^ *```.*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    blocks = [line for block in fence.findall(content) for line in block.splitlines()]
    rest = fence.sub("", content)
    return blocks + re.findall(r"^(?: {4}|\t)(.*)$", rest, re.MULTILINE) + re.findall(r"`([^`\n]+)`", rest)


def test_every_install_command_takes_the_constraints() -> None:
    scripts = [ROOT / "Makefile", ROOT / ".ci" / "run", *(path for path in TRACKED if path.suffix == ".sh")]
    installs = [
        (path, line) for path in [*MARKDOWN, *scripts] for line in commands(path) if re.search(r"pip install \S", line)
    ]
    assert installs
    open_ended = [f"{path.relative_to(ROOT)}: {line}" for path, line in installs if "-c constraints.txt" not in line]
    assert not open_ended, "without `-c constraints.txt` torch resolves to several GB"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_resolve(path: Path) -> None:
    content = re.sub(r"^ *```.*?^ *```", "", text(path), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(<?([^)\s>]+)", content) + re.findall(r"(?:src|href)=\"([^\"]+)\"", content)
    local = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert not [link for link in local if not (path.parent / link).exists()]


def test_the_latent_of_contributing_works() -> None:
    import torch

    [example] = re.findall(r"```python\n(.*?)```", text(ROOT / "CONTRIBUTING.md"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "contributing"}
    with forgotten():
        exec(compile(example, "CONTRIBUTING.md", "exec"), names)
    latent = names["Isotropic"](maps=4, height=3, width=5)
    assert latent.encoder_outputs == 4 * (3 * 5 + 1)
    parameters = {name: torch.zeros(2, *shape) for name, shape in latent.shapes.items()}
    distribution = latent.distribution(parameters)
    assert (*distribution.batch_shape, *distribution.event_shape) == (2, 4, 3, 5)
    assert distribution.log_prob(distribution.rsample()).shape == (2,)
