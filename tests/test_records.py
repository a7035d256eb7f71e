"""Dataclasses to JSON and back: every kind of field, what is missing, and what does not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from spatialvae.errors import UserError
from spatialvae.records import APART, OMITTED, REST, as_json, called, parse, read


@dataclass(frozen=True)
class Inner:
    value: float
    over: Literal["images", "seeds"] = "images"


@dataclass(frozen=True)
class Outer:
    name: str
    sides: tuple[int, int]
    several: dict[str, Inner]
    maybe: Inner | None
    grid: list[list[float]] | None = None
    mixed: int | str = 0
    flag: bool = False
    short: int | None = field(default=None, metadata=OMITTED)
    description: str = field(default="", metadata=called("law"))
    array: object = field(default=None, metadata=APART, compare=False)
    rest: dict[str, object] = field(default_factory=dict, metadata=REST)


def whole() -> Outer:
    return Outer(
        "a", (2, 3), {"x": Inner(1.5, "seeds")}, Inner(2.0), [[1.0]], "text", True, 4, "words", object(), {"own": [1]}
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "outer.json"
    path.write_text(json.dumps(as_json(whole())))
    assert read(Outer, path) == whole()


def test_the_json_has_plain_values() -> None:
    assert as_json(whole()) == {
        "name": "a",
        "sides": [2, 3],
        "several": {"x": {"value": 1.5, "over": "seeds"}},
        "maybe": {"value": 2.0, "over": "images"},
        "grid": [[1.0]],
        "mixed": "text",
        "flag": True,
        "short": 4,
        "law": "words",
        "own": [1],
    }


def test_what_is_missing_takes_its_default() -> None:
    small = parse(Outer, {"name": "a", "sides": [2, 3], "several": {"x": {"value": 1}}}, "outer.json")
    assert small == Outer("a", (2, 3), {"x": Inner(1.0)}, None)
    assert type(small.several["x"].value) is float
    assert not {"short", "array", "rest"} & as_json(small).keys()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": None}, "name is null and not text"),
        ({"name": 3}, "name is 3 and not text"),
        ({"sides": [2]}, "sides is [2] and not a list of 2"),
        ({"sides": [2, 2.5]}, "sides.1 is 2.5 and not a whole number"),
        ({"sides": [2, True]}, "sides.1 is true and not a whole number"),
        ({"several": [1]}, "several is [1] and not an object"),
        ({"several": {"x": {}}}, "several.x.value is missing"),
        ({"several": {"x": {"value": 1, "over": "time"}}}, 'several.x.over is "time" and not one of "images", "seeds"'),
        ({"maybe": 1}, "maybe is 1 and not an object"),
        ({"grid": [[1], ["x"]]}, 'grid.1.0 is "x" and not a number'),
        ({"law": 1}, "law is 1 and not text"),
        ({"flag": 1}, "flag is 1 and not true or false"),
        ({"name": ["x" * 99]}, 'name is ["xxx'),
    ],
)
def test_a_value_of_another_type_is_named(changed: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(Outer, {**as_json(whole()), **changed}, "outer.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("outer.json is damaged (") and len(str(caught.value)) < 160


def test_a_file_that_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read(Outer, tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json is not valid JSON"):
        read(Outer, tmp_path / "bad.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UserError, match="the whole is"):
        read(Outer, tmp_path / "list.json")
