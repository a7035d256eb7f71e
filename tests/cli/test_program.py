"""The program around the commands: help, version, completion, exit codes, and what it does not wait for."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from spatialvae._version import __version__
from spatialvae.cli import app, suggestions
from spatialvae.config import (
    BenchConfig,
    CompareConfig,
    DataOptions,
    EvaluationConfig,
    PriorConfig,
    TrainConfig,
)
from spatialvae.errors import with_flags
from tests.cli.program import spatialvae

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["train", "sample", "reconstruct", "interpolate", "traverse", "transplant", "inpaint", "influence"]
COMMANDS += ["evaluate", "compare", "bench", "data", "latents"]
HEAVY = {"accelerate", "datasets", "matplotlib", "pyarrow", "scipy", "sklearn", "torch", "torchmetrics"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )


def options(command: str) -> dict[str, Any]:
    """The parameters of a command by name."""
    group: Any = typer.main.get_command(app)
    return {parameter.name: parameter for parameter in group.commands[command].params}


def test_version() -> None:
    assert spatialvae("--version") == (0, f"spatialvae {__version__}\n", "")


def test_help_lists_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    for arguments in ([], ["--help"], ["-h"]):
        result = spatialvae(*arguments)
        assert result.code == 0
        assert all(f" {command} " in result.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command: str) -> None:
    result = spatialvae(command, "--help")
    assert result.code == 0
    assert "--json" in result.out
    assert all(parameter.help for name, parameter in options(command).items() if name != "help")


@pytest.mark.parametrize(
    ("command", "settings", "without"),
    [
        ("train", TrainConfig, set()),
        ("compare", TrainConfig, {"latent", "beta", "seed", "prior"}),
        ("compare", CompareConfig, set()),
        ("compare", EvaluationConfig, {"seed", "prior"}),
        ("bench", BenchConfig, set()),
        ("bench", TrainConfig, {"data"}),
        ("evaluate", DataOptions, set()),
        ("data", DataOptions, {"data"}),
    ],
)
def test_a_fields_text_is_its_flags_help(
    command: str, settings: type[TrainConfig], without: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    printed, result = spatialvae(command, "--help").out, options(command)
    for name, field in settings.flat_fields().items():
        if name in without:
            continue
        assert field.description
        assert result[name].help.startswith(with_flags(field.description))
        assert f"--{name.replace('_', '-')}" in result[name].opts
        assert with_flags(field.description) in printed
        if field.default not in (None, False):
            default = "the run's" if command == "evaluate" else field.default
            default = 1 if default == [1.0] else default
            assert f"{with_flags(field.description)} (default: {default})" in printed


def test_help_and_version_wait_for_nothing_heavy() -> None:
    script = f"""
import contextlib, io, sys
from spatialvae.cli import main
for line in (["--version"], ["--help"], *([name, "--help"] for name in {COMMANDS!r})):
    sys.argv = ["spatialvae", *line]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {HEAVY!r}))
"""
    assert python("-c", script).stdout == "[]\n"


def test_the_module_is_the_program(tmp_path: Path) -> None:
    assert python("-m", "spatialvae", "--version").stdout == f"spatialvae {__version__}\n"
    result = python("-m", "spatialvae", "latents", "--json")
    assert "low-rank" in [row["name"] for row in json.loads(result.stdout)["latents"]]
    assert result.stderr == ""
    wrong = python("-m", "spatialvae", "sample", str(tmp_path / "none"), "--json")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("Error: ")
    assert wrong.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("spatialvae.cli.latents.emit", leave)
    assert spatialvae("latents", "--json") == (1, "", "")


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("spatialvae trai", ["train"]),
        ("spatialvae train --like", ["--likelihood"]),
        ("spatialvae sample --pri", ["--prior"]),
    ],
)
def test_completion(typed: str, completions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SPATIALVAE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert spatialvae().out.split() == completions


def test_the_completion_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    for shell in ("bash", "zsh", "fish"):
        result = spatialvae("--show-completion", shell)
        assert result.code == 0
        assert "_SPATIALVAE_COMPLETE" in result.out


def test_the_list_of_commands_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = spatialvae("--help").out
    group: Any = typer.main.get_command(app)
    message = " ".join(printed.split())
    assert all(command.help.partition("\n")[0] in message for command in group.commands.values())
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("command", ["train", "compare", "bench", "fit-prior", "evaluate"])
def test_a_fixed_set_of_choices_is_listed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = options(command)
    for kind in (TrainConfig, PriorConfig, EvaluationConfig):
        for name, field in kind.flat_fields().items():
            if get_origin(field.annotation) is Literal and name in result:
                assert all(choice in result[name].help for choice in get_args(field.annotation)), name


MACHINE = ["train", "sample", "reconstruct", "interpolate", "transplant", "inpaint", "traverse", "influence"]


@pytest.mark.parametrize("command", [*MACHINE, "evaluate", "compare", "fit-prior", "bench"])
def test_every_command_that_runs_a_model_takes_a_device(command: str) -> None:
    assert {"device", "threads"} <= options(command).keys()


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("train --lr 1", "--learning-rate"),
        ("train --lr=1", "--learning-rate"),
        ("train --bs 3", "--batch-size"),
        ("train --batch 3", "--batch-size"),
        ("train --batch_size 3", "--batch-size"),
        ("train --steps 3", "--images"),
        ("train --size 3", "--image-size"),
        ("train --resolution 3", "--image-size"),
        ("train --dataset a", "--data"),
        ("train --output a", "--out"),
        ("train -o a", "--out"),
        ("train --epoch 3", "--epochs"),
        ("train --gpu 0", "--device cuda"),
        ("sample x --n 3", "--count"),
        ("sample x --num-samples 3", "--count"),
        ("evaluate x --num-samples 3", "--generated"),
        ("evaluate x --dataset a", "--data"),
        ("generate x", "'sample'"),
        ("eval x", "'evaluate'"),
    ],
)
def test_names_of_other_tools(line: str, ours: str) -> None:
    assert f"Did you mean {ours}?" in spatialvae(*line.split()).complaint


def test_every_suggested_name_is_there() -> None:
    flags = {
        flag for command in [*COMMANDS, "fit-prior"] for option in options(command).values() for flag in option.opts
    }
    assert {name.partition(" ")[0] for names in suggestions.FLAGS.values() for name in names} <= flags
    group: Any = typer.main.get_command(app)
    assert set(suggestions.COMMANDS.values()) <= set(group.commands)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")])
def test_too_little_memory_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("spatialvae.cli.latents.emit", fail)
    assert "not enough memory" in spatialvae("latents", "--json").complaint
    error = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else"):
        spatialvae("latents", "--json")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sample x --temperature inf", ["--temperature", "inf", "finite"]),
        ("sample x --temperature nan", ["--temperature"]),
        ("sample x --seed 9223372036854775808", ["--seed", "9223372036854775807"]),
        ("influence x --seed 9223372036854775808", ["--seed", "9223372036854775807"]),
        ("inpaint x a.png --region 0,0 --temperature inf", ["--temperature", "inf", "finite"]),
        ("traverse x --extent inf", ["--extent", "inf", "finite"]),
        ("interpolate x --steps 99999999999", ["--steps", "1000"]),
        ("tran", ["'tran'", "'train'"]),
        ("--verison", ["--verison"]),
        ("train --laten naive --out x", ["--laten", "--latent"]),
        ("train", ["--out"]),
        ("sample", ["run"]),
        ("sample x --count some", ["--count"]),
        ("sample x --count 0", ["--count", "1"]),
        ("sample x --temperature -1", ["--temperature", "0"]),
        ("interpolate x --steps 1", ["--steps", "2"]),
        ("evaluate x --limit 0", ["--limit", "1"]),
        ("compare --seeds 0 --out x", ["--seeds", "1"]),
        ("train --images many --out x", ["--images"]),
        ("latents --maps 0", ["--maps", "1"]),
        ("latents --map-size 3by3", ["--map-size", "3by3", "3x5"]),
        ("latents extra", ["extra"]),
    ],
)
def test_what_the_parser_refuses_is_plain_too(line: str, words: list[str]) -> None:
    message = spatialvae(*line.split()).complaint
    assert all(word in message for word in words), message
    assert not set("│╭╰") & set(message)
