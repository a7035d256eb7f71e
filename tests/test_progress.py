"""Progress: a whole line at 80 columns on a terminal, plain lines now and then in a log, no words about short work."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from spatialvae import progress
from spatialvae.progress import Progress


class Clock:
    """Seconds that pass when told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def drawn(work: Progress) -> str:
    """The line that a terminal of 80 columns shows, without its colours."""
    moving: Any = work._moving
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(moving.get_renderable())
    return captured.get()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_on_a_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("title", ["runs/a", "runs/a-long-name/of-a-folder/somewhere/naive/beta-1/seed-0"])
def test_nothing_is_cut_at_80_columns(clock: Clock, title: str) -> None:
    work = Progress(title, 30_000_000)
    work.update(100, "12345 images/s", "bound -1234.5", "KL 1234.5")
    clock.now += 100
    work.update(200_000, "12345 images/s", "bound -123456.7", "KL 1234.5", "a long word that does not fit any more")
    (line,) = drawn(work).splitlines()
    assert len(line) <= 80
    for part in ("1%", "4.1 h left", "12345 images/s", "bound -123456.7"):
        assert part in line, line
    assert title[-10:].strip() in line
    assert not line.rstrip().endswith("…")


@pytest.mark.usefixtures("terminal")
def test_a_length_that_nobody_knows(clock: Clock) -> None:
    work = Progress("decoding", None)
    work.update(5, "words")
    assert "words" in drawn(work)


def test_a_log_gets_a_plain_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("runs/a", 1000, 100) as work:
        for done in range(100, 500):
            work.update(done, "4 images/s", "bound -12.5")
            clock.now += 0.25
        lines = capsys.readouterr().err.splitlines()
        assert lines == [
            "runs/a: 11% of 1,000, 4 min left, 4 images/s, bound -12.5",  # after 3 seconds
            "runs/a: 23% of 1,000, 3 min left, 4 images/s, bound -12.5",  # and every 30 from then on
            "runs/a: 35% of 1,000, 3 min left, 4 images/s, bound -12.5",
            "runs/a: 47% of 1,000, 2 min left, 4 images/s, bound -12.5",
        ]
        work.update(500, "at a checkpoint", due=True)
        assert capsys.readouterr().err == "runs/a: 50% of 1,000, 2 min left, at a checkpoint\n"
        for done in (520, 540, 1000):  # a checkpoint a step does not fill the log; the last one is in it
            work.update(done, "at a checkpoint", due=True)
        assert capsys.readouterr().err == "runs/a: 100% of 1,000, at a checkpoint\n"
        work.say("a line")
        assert capsys.readouterr().err == "a line\n"


def test_a_log_has_no_codes_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress("work", 10) as work:
        work.update(5, due=True)
    assert not re.search(r"[\x1b\r]", capsys.readouterr().err)


def test_short_work_and_hidden_work_say_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("short", 10) as work:
        work.advance(10)
    with Progress("hidden", 10, shown=False) as work:
        clock.now += 1000
        work.update(5, due=True)
        work.say("nothing")
    assert capsys.readouterr() == ("", "")


def test_the_first_update_is_warm_up(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work = Progress("work", 100)
    clock.now += 1000  # a first step that takes long
    work.update(10)
    clock.now += 10
    work.update(20, due=True)
    assert capsys.readouterr().err.splitlines()[-1] == "work: 20% of 100, 80 s left"
