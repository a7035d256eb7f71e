"""What users of other tools type, and what it is called here: the one table, beside likeness of spelling."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["suggested_command", "suggested_flag"]

FLAGS: dict[str, tuple[str, ...]] = {
    "--lr": ("--learning-rate",),
    "--decoder-stem": ("--network",),
    "--bs": ("--batch-size",),
    "--batch": ("--batch-size",),
    "-b": ("--batch-size",),
    "--epoch": ("--epochs",),
    "-e": ("--epochs",),
    "--steps": ("--images",),
    "--iterations": ("--images",),
    "--iters": ("--images",),
    "--num-steps": ("--images",),
    "--max-steps": ("--images",),
    "--kimg": ("--images",),
    "--size": ("--image-size", "--map-size"),
    "--resolution": ("--image-size",),
    "--res": ("--image-size",),
    "--dataset": ("--data", "--against"),
    "--data-dir": ("--data", "--against"),
    "--data-path": ("--data", "--against"),
    "--input": ("--data",),
    "-d": ("--data",),
    "--output": ("--out",),
    "--outdir": ("--out",),
    "--output-dir": ("--out",),
    "--save-dir": ("--out",),
    "--logdir": ("--out",),
    "-o": ("--out",),
    "--force": ("--overwrite",),
    "-f": ("--overwrite",),
    "--gpu": ("--device cuda",),
    "--gpus": ("--device cuda",),
    "--cuda": ("--device cuda",),
    "--cpu": ("--device cpu",),
    "--no-cuda": ("--device cpu",),
    "--workers": ("--threads",),
    "--num-workers": ("--threads",),
    "-j": ("--threads",),
    "--n": ("--count", "--generated", "--limit"),
    "-n": ("--count", "--generated", "--limit"),
    "--num": ("--count", "--generated", "--limit"),
    "--num-samples": ("--count", "--generated"),
    "--n-samples": ("--count", "--generated"),
    "--samples": ("--count", "--generated"),
    "--class": ("--label",),
    "--temp": ("--temperature",),
    "--amp": ("--precision bf16",),
    "--fp16": ("--precision fp16",),
    "--bf16": ("--precision bf16",),
    "--dtype": ("--precision",),
    "--ema-decay": ("--ema",),
    "--grad-clip": ("--clip",),
    "--clip-grad": ("--clip",),
    "--lr-schedule": ("--schedule",),
    "--scheduler": ("--schedule",),
    "--kl-weight": ("--beta",),
    "--latent-dim": ("--latent vector:maps=NUMBER", "--maps"),
    "--z-dim": ("--latent vector:maps=NUMBER", "--maps"),
    "--model": ("--latent",),
    "--hflip": ("--flip",),
    "--save-every": ("--checkpoint-every",),
    "--random-seed": ("--seed", "--seeds"),
}
"""The name that was typed -> ours, of which a command suggests the first that it has."""

COMMANDS = {
    "generate": "sample",
    "draw": "sample",
    "fit": "train",
    "resume": "train",
    "test": "evaluate",
    "eval": "evaluate",
    "fid": "evaluate",
    "metrics": "evaluate",
    "encode": "reconstruct",
    "benchmark": "bench",
    "info": "data",
    "prepare": "data",
}
"""The command that was typed -> ours."""


def suggested_flag(typed: str, flags: Collection[str]) -> str | None:
    """What `typed` is called among the `flags` of a command, as one would type it; None where the table has nothing.

    >>> suggested_flag("--lr", ["--learning-rate"]), suggested_flag("--lr", ["--out"])
    ('--learning-rate', None)
    >>> suggested_flag("--num_samples", ["--count"])
    '--count'
    """
    names = FLAGS.get(typed.replace("_", "-"), (typed.replace("_", "-"),))
    return next((name for name in names if name.partition(" ")[0] in flags), None)


def suggested_command(typed: str) -> str | None:
    """What a command of other tools is called here.

    >>> suggested_command("generate")
    'sample'
    """
    return COMMANDS.get(typed)
