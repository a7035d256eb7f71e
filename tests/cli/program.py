"""The program run inside the test's own process: what it would print, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import pytest

from spatialvae.cli import main
from spatialvae.training import loop


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout, after a success."""
        assert self.code == 0, self.err

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        result = json.loads(self.out, parse_constant=refuse)
        assert isinstance(result, dict)
        assert self.out.count("\n") == 1
        return result

    @property
    def complaint(self) -> str:
        """The plain words of a user's mistake: exit code 2, at most three lines, no traceback, nothing on stdout."""
        assert self.code == 2, self
        assert self.out == ""
        before, _, message = self.err.partition("Error: ")
        assert "Traceback" not in self.err
        under_way = ("%", "parameters", "steps of")
        assert all(any(word in line for word in under_way) for line in before.splitlines())
        assert message
        assert message.endswith("\n")
        assert len(message.splitlines()) <= 3
        return message


def spatialvae(*arguments: object) -> Outcome:
    """Run `spatialvae` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["spatialvae", *(str(argument) for argument in arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code or 0
    else:
        code = 0
    finally:
        sys.argv = before
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def stop_at_step(patch: pytest.MonkeyPatch, steps: int, number: int) -> None:
    """Send this process signal `number` in the middle of the n-th training step, once."""
    import signal

    taken, step = 0, loop.train_step

    def counted(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == steps:
            signal.raise_signal(number)
        return step(*arguments)

    patch.setattr(loop, "train_step", counted)
