import math
import pickle

import numpy as np
import pytest
import torch

from minifast.errors import OptionError
from minifast.optim.schedules import (
    combine,
    constant,
    cosine,
    exponential,
    linear,
    one_cycle,
    one_cycle_momentum,
    sample,
)

ENDS = [(0.1, 1e-5), (0.3 / 25, 0.3), (1.0, 3.0), (0.7, 0.1), (-0.3, -1e-5)]
POSITIONS = [0, 0.01, 0.25, 1 / 3, 0.5, 0.77, 1]


@pytest.mark.parametrize("ends", [*ENDS, (0.0, 1.0), (1.0, -1.0), (0.1, 0.1)])
@pytest.mark.parametrize("position", POSITIONS)
def test_linear_and_cosine_agree_with_their_formulas(ends, position):
    start, end = ends
    line = start + (end - start) * position
    assert linear(start, end)(position) == pytest.approx(line, abs=1e-15)
    wave = start + (end - start) * (1 - math.cos(math.pi * position)) / 2
    assert cosine(start, end)(position) == pytest.approx(wave, abs=1e-15)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("position", POSITIONS)
def test_exponential_agrees_with_its_formula(ends, position):
    start, end = ends
    expected = start * (end / start) ** position
    assert exponential(start, end)(position) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("build", [linear, cosine, exponential])
@pytest.mark.parametrize("ends", ENDS)
def test_both_ends_are_exact_and_the_way_is_monotone(build, ends):
    start, end = ends
    values = sample(build(start, end), 1001)
    assert (values[0], values[-1]) == ends
    assert values == sorted(values, reverse=start > end)


def test_constant_stays_exactly_where_it_is():
    assert set(sample(constant(0.1))) == {0.1}
    assert set(sample(linear(0.1, 0.1))) == {0.1}
    assert set(sample(cosine(0.1, 0.1))) == {0.1}


@pytest.mark.parametrize("build", [linear, cosine])
def test_values_are_floats_even_of_integers(build):
    assert all(type(value) is float for value in sample(build(0, 1), 3))


@pytest.mark.parametrize("ends", [(0.1, 0.0), (0.0, 0.1), (0.1, -0.1), (0.0, 0.0)])
def test_exponential_refuses_zero_and_a_change_of_sign(ends):
    with pytest.raises(OptionError) as caught:
        exponential(*ends)
    assert str(caught.value) == (
        "An exponential schedule goes between two numbers of the same sign.\n"
        f"  got: from {ends[0]:g} to {ends[1]:g}\n"
        "  fix: To end near zero, end at a small number such as 1e-5."
    )


SCHEDULES = [
    linear(0.0, 1.0),
    cosine(0.3, 0.0),
    exponential(1.0, 1e-3),
    constant(0.5),
    combine([0.2, 0.5, 0.3], [linear(0, 1), constant(1), cosine(1, 0)]),
    one_cycle(0.5),
    one_cycle_momentum(),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("position", [-1e-9, 1.0001, 2, math.nan, math.inf])
def test_a_position_outside_training_is_refused(schedule, position):
    with pytest.raises(OptionError) as caught:
        schedule(position)
    assert str(caught.value) == (
        "The position in training must be from 0 to 1.\n"
        f"  got: {position}\n"
        "  fix: Use step / (n_steps - 1)."
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_can_be_pickled_compared_and_read_back(schedule):
    names = {
        build.__name__: build
        for build in (linear, cosine, exponential, constant, combine)
    }
    for copy in (pickle.loads(pickle.dumps(schedule)), eval(repr(schedule), names)):
        assert copy == schedule
        assert sample(copy) == sample(schedule)


def test_a_schedule_reads_as_it_was_written():
    schedule = combine([0.25, 0.75], [linear(0.0, 1.0), constant(0.5)])
    assert repr(schedule) == "combine([0.25, 0.75], [linear(0.0, 1.0), constant(0.5)])"


def test_numbers_of_numpy_become_pythons():
    schedule = combine(
        np.array([0.25, 0.75]), [one_cycle(np.float64(0.5)), constant(np.float32(0.5))]
    )
    assert "np." not in repr(schedule)
    assert schedule == combine([0.25, 0.75], [one_cycle(0.5), constant(0.5)])
    for position in np.linspace(0, 1, 5):
        assert type(schedule(position)) is float
    own = combine([0.5, 0.5], [np.cos, constant(0)])
    assert type(own(0.1)) is float


@pytest.mark.parametrize("fractions", [[1.0], [0.3, 0.7], [0.6, 0.3, 0.1], [0.1] * 10])
def test_every_phase_runs_from_its_start_to_its_end(fractions):
    phases = [linear(10 * i, 10 * i + 9) for i in range(len(fractions))]
    schedule = combine(fractions, phases)
    start = 0.0
    for i, fraction in enumerate(fractions):
        for part in (0.001, 0.5, 0.999):
            expected = 10 * i + 9 * part
            assert schedule(start + fraction * part) == pytest.approx(
                expected, abs=1e-9
            )
        start += fraction
    assert schedule(0) == 0
    assert schedule(1) == 10 * len(fractions) - 1
    assert schedule(1.0 - 1e-16) == pytest.approx(schedule(1))


@pytest.mark.parametrize("fractions", [[0.6, 0.3, 0.1], [1 / 3] * 3, [0.1] * 10])
def test_fractions_sum_to_one_within_rounding(fractions):
    schedule = combine(fractions, [constant(i) for i in range(len(fractions))])
    assert schedule(1) == len(fractions) - 1


def test_where_two_phases_meet_the_later_one_begins():
    schedule = combine([0.25, 0.75], [linear(0, 1), linear(5, 6)])
    assert schedule(0.25) == 5
    assert schedule(math.nextafter(0.25, 0)) == pytest.approx(1)


def test_phases_can_be_combined_again():
    inner = combine([0.5, 0.5], [linear(0, 1), linear(1, 0)])
    schedule = combine([0.5, 0.5], [inner, constant(7)])
    assert [schedule(p) for p in (0, 0.25, 0.5, 1)] == [0, 1, 7, 7]


def test_any_function_of_the_position_is_a_schedule():
    schedule = combine([0.5, 0.5], [lambda position: position**2, constant(1)])
    assert schedule(0.25) == 0.25


@pytest.mark.parametrize(
    ("fractions", "total"),
    [
        ([0.3, 0.6], "0.9"),
        ([0.5, 0.6], "1.1"),
        ([1.0, 0.0], "1"),
        ([-0.5, 1.5], "1"),
        ([30.0, 70.0], "100"),
        ([math.nan, 0.5], "nan"),
    ],
)
def test_fractions_must_be_positive_and_sum_to_one(fractions, total):
    with pytest.raises(OptionError) as caught:
        combine(fractions, [constant(1), constant(2)])
    assert str(caught.value) == (
        "The fractions must be positive and sum to 1.\n"
        f"  got: {fractions}, which sum to {total}\n"
        "  fix: Divide each by their sum; leave out the zeros."
    )


@pytest.mark.parametrize(
    ("fractions", "schedules"), [([], []), ([1.0], []), ([0.5, 0.5], [constant(1)])]
)
def test_there_must_be_one_fraction_for_each_schedule(fractions, schedules):
    with pytest.raises(OptionError) as caught:
        combine(fractions, schedules)
    assert str(caught.value) == (
        "There must be one fraction for each schedule, and at least one.\n"
        f"  got: {len(fractions)} fractions, {len(schedules)} schedules\n"
        "  fix: combine([0.3, 0.7], [cosine(...), cosine(...)])"
    )


def test_one_cycle_starts_low_rises_and_ends_near_zero():
    lr = one_cycle(0.5, warmup=0.25, start_div=10, end_div=1000)
    assert (lr(0), lr(0.25), lr(1)) == (0.05, 0.5, 0.0005)
    assert max(sample(lr, 1001)) == 0.5


def test_the_momentum_mirrors_the_learning_rate():
    lr, momentum = one_cycle(1.0), one_cycle_momentum(0.95, 0.85)
    assert [momentum(p) for p in (0, 0.3, 1)] == [0.95, 0.85, 0.95]
    up = slice(0, 31)
    assert sample(lr)[up] == sorted(sample(lr)[up])
    assert sample(momentum)[up] == sorted(sample(momentum)[up], reverse=True)


@pytest.mark.parametrize("warmup", [0.0, 1.0, 1.5])
@pytest.mark.parametrize(
    "build",
    [lambda w: one_cycle(1.0, warmup=w), lambda w: one_cycle_momentum(warmup=w)],
)
def test_a_warmup_that_leaves_no_phase_is_refused(build, warmup):
    with pytest.raises(
        OptionError, match="The fractions must be positive and sum to 1"
    ):
        build(warmup)


@pytest.mark.parametrize("n_steps", [10, 100, 1000])
@pytest.mark.parametrize("warmup", [0.3, 0.5])
def test_one_cycle_is_the_one_of_torch(n_steps, warmup):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1, momentum=0.9)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        opt, max_lr=0.3, total_steps=n_steps, pct_start=warmup
    )
    # Torch's warm-up ends one step earlier than its fraction of the steps says.
    ours = (warmup * n_steps - 1) / (n_steps - 1)
    lr, momentum = one_cycle(0.3, warmup=ours), one_cycle_momentum(warmup=ours)
    for step in range(n_steps):
        group, position = opt.param_groups[0], step / (n_steps - 1)
        assert lr(position) == pytest.approx(group["lr"], rel=1e-9)
        assert momentum(position) == pytest.approx(group["momentum"], rel=1e-9)
        opt.step()
        if step < n_steps - 1:
            torchs.step()


def test_a_sample_has_both_ends():
    assert sample(linear(0, 1), 2) == [0.0, 1.0]
    assert len(sample(linear(0, 1))) == 101


@pytest.mark.parametrize("n", [1, 0, -3])
def test_a_sample_of_fewer_than_two_is_refused(n):
    with pytest.raises(OptionError) as caught:
        sample(constant(1), n)
    assert str(caught.value) == (
        "A schedule is sampled at both ends, at least.\n"
        f"  got: n={n}\n"
        "  fix: Use n=2 or more."
    )
