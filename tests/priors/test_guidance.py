"""Guidance by classes: the sum of two velocities, classes as frequent as in the data, and what takes none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.priors import FlowFamily, FlowMatchingFamily, FlowMatchingPrior, GaussianPrior
from spatialvae.priors.flow_matching.ode import scale
from spatialvae.priors.labels import Labels
from tests.priors.trained import correlated, stirred

FAMILY = FlowMatchingFamily(width=16, blocks=1, steps=4)
EVENTS = [(2, 2, 2), (2, 3, 6)]


@pytest.fixture(params=EVENTS)
def prior(request: pytest.FixtureRequest) -> FlowMatchingPrior:
    prior = stirred(FAMILY.start(correlated(request.param), 3), 0.3)
    assert isinstance(prior, FlowMatchingPrior)
    return prior


def test_the_field_is_the_free_velocity_and_more_of_the_difference(prior: FlowMatchingPrior) -> None:
    u, time = torch.randn(5, *prior.event_shape, dtype=torch.float64), 0.3
    parts = {label: prior.network(u, u.new_full((5,), time), torch.full((5,), label)) / scale(time) for label in (1, 3)}
    for weight in (0.0, 1.0, 2.5):
        field = prior(1, guidance=weight)._field(None)(u, time)
        assert_close(field, parts[3] + weight * (parts[1] - parts[3]), rtol=1e-5, atol=1e-6)


def test_one_is_the_class_as_it_is(prior: FlowMatchingPrior) -> None:
    drawn = []
    for guidance in (None, 1.0, 3.0):
        torch.manual_seed(0)
        drawn.append(prior(2, guidance=guidance).sample([4]))
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] - drawn[2]).abs().max() > 1e-3


def test_without_a_label_classes_are_drawn_as_often_as_they_are_in_the_data(prior: FlowMatchingPrior) -> None:
    prior.name_classes(Labels(("a", "b", "c"), (30, 0, 10)))
    codes = prior(guidance=2.0)
    torch.manual_seed(0)
    classes = codes._classes(4000)
    assert set(classes.tolist()) == {0, 2}
    assert (classes == 0).double().mean().item() == pytest.approx(0.75, abs=0.03)
    torch.manual_seed(1)
    assert codes.sample([2, 3]).shape == (2, 3, *prior.event_shape)


def test_what_takes_no_guidance(prior: FlowMatchingPrior) -> None:
    code = prior.gaussian().sample()
    with pytest.raises(UserError, match="is for draws alone, not for a density"):
        prior(0, guidance=2.0).log_prob(code)
    with pytest.raises(UserError, match="not for draws given some cells"):
        prior(guidance=2.0).given_cells(code, torch.ones(prior.event_shape[1:], dtype=torch.bool))
    with pytest.raises(UserError, match="guidance 2 is for flow-matching with labels: it knows no labels"):
        FAMILY.start(prior.gaussian, 0)(guidance=2)
    for other in (prior.gaussian, FlowFamily(couplings=2, width=8).start(correlated((2, 2, 2)), 0)):
        assert isinstance(other, GaussianPrior) or other.family.name == "flow"
        with pytest.raises(UserError, match=f"draws from {other.family.spelled} take none"):
            other(guidance=2)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="should be a finite number from 0 on"):
            prior(0, guidance=wrong)


def test_steps_are_those_of_the_call_or_the_priors_own(prior: FlowMatchingPrior) -> None:
    assert (len(prior()._times), len(prior(steps=9)._times)) == (5, 10)
    longer = FlowMatchingPrior(replace(FAMILY, steps=7), prior.gaussian, prior.network, classes=3)
    assert len(longer()._times) == 8
    with pytest.raises(UserError, match="steps 0 is not possible"):
        prior(steps=0)
