"""Tables of named parts: what a text may spell, what it may not, and that an object is written as it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Optional

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, MatrixNormalMaps, Naive, parse_latent, variants
from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.options import check_options, options_of
from spatialvae.registry import Registry, split_spec

TOOLS: Registry[Any] = Registry("tool")


@TOOLS.register("saw")
@dataclass(frozen=True)
class Saw:
    teeth: int
    length: float = 1.0
    sharp: bool = True
    maker: str = "ACME"
    steel: Literal["soft", "hard"] = "hard"
    grit: Literal[1, 2] = 1
    price: Optional[float] = None  # noqa: UP045 - both ways of writing it are understood
    owner: str | None = None
    angle: float | Literal["auto"] | None = None
    parts: tuple[int, ...] = ()


@TOOLS.register("glue")
class Glue(nn.Module):
    def __init__(self, *args: int, tack: float = 0.5, **more: int) -> None:
        super().__init__()
        self.tack = tack


class Forgetful(nn.Module):
    def __init__(self, size: int = 2) -> None:
        super().__init__()


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone when it ends."""
    for table in (TOOLS, LATENTS, LIKELIHOODS):
        monkeypatch.setattr(table, "_parts", dict(table._parts))


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("saw:teeth=3", Saw(3)),
        (" saw:teeth=-3,", Saw(-3)),
        ("saw:teeth=+3,length=2", Saw(3, length=2.0)),
        ("saw:teeth=3,length=1e-3", Saw(3, length=0.001)),
        ("saw:teeth=3,sharp=false", Saw(3, sharp=False)),
        ("saw:sharp,teeth=3", Saw(3, sharp=True)),
        ("saw:teeth=3,maker=a=b:c", Saw(3, maker="a=b:c")),
        ("saw:teeth=3,steel=soft,grit=2", Saw(3, steel="soft", grit=2)),
        ("saw:teeth=3,price=2.5,owner=me", Saw(3, price=2.5, owner="me")),
        ("saw:teeth=3,price=none,owner=none", Saw(3)),
        ("saw:teeth=3,angle=auto", Saw(3, angle="auto")),
        ("saw:teeth=3,angle=2", Saw(3, angle=2.0)),
        ("saw:teeth=3,teeth=4", Saw(4)),
    ],
)
def test_options_of_every_type(spec: str, part: Saw) -> None:
    assert TOOLS.parse(spec) == part
    assert type(TOOLS.parse(spec).length) is float


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sow:teeth=3", "There is no tool 'sow'. Did you mean 'saw'?"),
        ("saw:tooth=3", "saw has no option 'tooth'. Did you mean 'teeth'?"),
        ("saw", "saw leaves out teeth: teeth is a whole number, for instance saw:teeth=2."),
        ("saw:teeth", "saw:teeth= is not possible: teeth is a whole number, for instance saw:teeth=2."),
        ("saw:teeth=1.5", "saw:teeth=1.5 is not possible: teeth is a whole number, for instance saw:teeth=2."),
        ("saw:teeth=1_0", "saw:teeth=1_0 is not possible: teeth is a whole number, for instance saw:teeth=2."),
        ("saw:teeth=²", "saw:teeth=² is not possible: teeth is a whole number, for instance saw:teeth=2."),
        ("saw:length=nan", "saw:length=nan is not possible: length is a finite number, for instance saw:length=0.1."),
        ("saw:length=1e999", "length is a finite number, for instance saw:length=0.1."),
        ("saw:sharp=yes", "saw:sharp=yes is not possible: sharp is true or false, for instance saw:sharp=true."),
        ("saw:steel=sof", "saw:steel=sof is not possible: steel is one of soft, hard. Did you mean 'soft'?"),
        ("saw:grit=3", "saw:grit=3 is not possible: grit is one of 1, 2."),
        ("saw:angle=steep", "angle is auto, a finite number or none, for instance saw:angle=0.1."),
        ("saw:price=dear", "price is a finite number or none, for instance saw:price=0.1."),
        ("saw:maker=", "maker is a word, for instance saw:maker=NAME."),
        ("saw:parts=1", "saw:parts=1 is not possible: saw takes parts from Python only."),
        ("glue:args=1", "glue has no option 'args'. Choose from: tack."),
        ("glue:more=1", "glue has no option 'more'. Choose from: tack."),
    ],
)
def test_a_wrong_text_is_one_plain_line(spec: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        TOOLS.parse(spec)
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1.5, "3", True, None])
def test_a_wrong_type_in_python_is_refused_by_the_same_rule(value: object) -> None:
    with pytest.raises(UserError, match=r"teeth=.* is not possible: teeth is a whole number"):
        check_options(Saw(value))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="covariance='dense' is not possible: covariance is one of diagonal, ar1, full"):
        MatrixNormalMaps(1, 2, 2, covariance="dense")  # pyright: ignore[reportArgumentType]
    check_options(Saw(3, length=2))  # a whole number is a number


words = st.text("abc =:,é", min_size=1, max_size=4)
saws = st.builds(
    Saw,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    words,
    st.sampled_from(["soft", "hard"]),
    st.sampled_from([1, 2]),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.just("none") | words,
)


@given(saws)
def test_spelling_and_parsing_are_inverse_or_refused(saw: Saw) -> None:
    try:
        text = TOOLS.spell(saw)
    except UserError as error:
        assert "cannot be written as text" in str(error)
        assert any("," in word or word.strip() != word or word == "none" for word in (saw.maker, saw.owner or ""))
    else:
        assert TOOLS.parse(text) == saw


def test_an_option_that_is_no_attribute_cannot_be_spelled(tables: None) -> None:
    TOOLS.register("forgetful")(Forgetful)
    with pytest.raises(UserError, match=r"Forgetful does not keep its option 'size': write self.size = size"):
        TOOLS.spell(Forgetful())
    with pytest.raises(UserError, match="Linear has no name among the tools"):
        TOOLS.spell(nn.Linear(1, 1))


def test_a_name_belongs_to_one_part(tables: None) -> None:
    with pytest.raises(UserError, match=r"The tool 'saw' is registered already, as .*Saw: give .*Glue another name"):
        TOOLS.register("saw")(Glue)
    TOOLS.register("saw")(Saw)  # a notebook's cell that runs again
    with pytest.raises(UserError, match="'a:b' is no name for a tool"):
        TOOLS.register("a:b")
    assert (TOOLS.name_of(Saw(3)), TOOLS.name_of(3)) == ("saw", None)


def test_types_that_are_not_there_are_named(tables: None) -> None:
    @TOOLS.register("odd")
    @dataclass(frozen=True)
    class Odd:
        size: Absent = 1  # pyright: ignore[reportUndefinedVariable]  # noqa: F821

    with pytest.raises(UserError, match=r"Odd cannot be read \(name 'Absent' is not defined\)"):
        TOOLS.parse("odd")


def test_options_of_an_inherited_field_are_read_where_it_was_defined() -> None:
    @dataclass(frozen=True)
    class Mine(MatrixNormalMaps):
        more: float = 1.0

    assert options_of(Mine)["covariance"].choices == ("diagonal", "ar1", "full")  # this module has no `Covariance`


def test_a_function_is_a_part_too(tables: None) -> None:
    @TOOLS.register("short-saw")
    def short_saw(teeth: int = 2) -> Saw:
        return Saw(teeth, length=0.1)

    assert TOOLS.parse("short-saw:teeth=5") == Saw(5, length=0.1)


def test_split_keeps_options_without_a_value() -> None:
    table: dict[str, Callable[..., object]] = {"a": int}
    assert split_spec("a:x,y=1,", "thing", table) == ("a", [("x", ""), ("y", "1")])


def test_a_latent_of_ones_own(tables: None) -> None:
    @LATENTS.register("my-naive")
    @dataclass(frozen=True)
    class MyNaive(Naive):
        """A user's."""

        strength: float = 0.5
        form: Literal["round", "square"] = "round"

    latent = parse_latent("my-naive:strength=2", (4, 3, 3))
    assert latent == MyNaive(4, 3, 3, strength=2.0)
    assert LATENTS.parse(LATENTS.spell(latent)) == latent
    listed = [name for name in variants((4, 3, 3)) if name.startswith("my-naive")]
    assert listed == ["my-naive", "my-naive:form=square"]
    with pytest.raises(UserError, match="strength='x' is not possible: strength is a finite number"):
        MyNaive(4, 3, 3, strength="x")  # pyright: ignore[reportArgumentType]


def test_a_likelihood_of_ones_own(tables: None) -> None:
    @LIKELIHOODS.register("my-gaussian")
    class MyGaussian(AbstractLikelihood):
        def __init__(self, width: float = 0.5) -> None:
            super().__init__()
            self.width = width

        def forward(self, output: Tensor) -> GaussianPixels:
            return GaussianPixels(output, output.new_tensor(self.width))

    likelihood = LIKELIHOODS.parse("my-gaussian:width=0.25")
    assert LIKELIHOODS.spell(likelihood) == "my-gaussian:width=0.25"
    assert likelihood(torch.zeros(1, 1, 2, 2)).log_prob(torch.zeros(1, 1, 2, 2)).shape == (1,)
