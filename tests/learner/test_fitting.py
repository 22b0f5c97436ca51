from functools import partial

import pytest
import torch
from torch import nn

from minifast.errors import DataError, OptionError, ShapeError
from minifast.learner.fitting import fitting, fitting_optimizer
from minifast.optim import SGD

# Weights


@pytest.mark.parametrize(
    ("saved", "difference"),
    [
        (
            {"weight": torch.zeros(1, 2)},
            "bias: nothing in what was saved, \\(1,\\) here",
        ),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(1)},
            "weight: \\(3, 2\\) in what was saved, \\(1, 2\\) here",
        ),
        (
            {"weight": torch.zeros(1, 2), "bias": torch.zeros(1), "b2": torch.zeros(1)},
            "b2: \\(1,\\) in what was saved, nothing here",
        ),
        (
            {"weight": torch.zeros(1, 2, dtype=torch.int64), "bias": torch.zeros(1)},
            "weight: \\(1, 2\\) int64 in what was saved, \\(1, 2\\) here",
        ),
        ({"weight": None, "bias": torch.zeros(1)}, "weight: a value in what was saved"),
        ({"weight": [[0.0, 0.0]], "bias": torch.zeros(1)}, "weight: a value"),
    ],
)
def test_weights_of_another_model_are_refused(saved, difference):
    with pytest.raises(ShapeError, match=difference):
        fitting(nn.Linear(2, 1), saved)


def test_weights_of_the_model_pass_as_they_are():
    model = nn.BatchNorm1d(2)
    saved = model.state_dict()
    weights, left = fitting(model, saved)
    assert weights is saved
    assert left == []
    half = {k: v.half() if v.is_floating_point() else v for k, v in saved.items()}
    assert fitting(model, half) == (half, [])


def test_what_fits_is_taken_and_the_rest_is_listed():
    body, other = (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, n)) for n in (1, 4))
    saved = dict(other.state_dict(), extra=torch.zeros(2))
    weights, left = fitting(body, saved, strict=False)
    assert list(weights) == ["0.weight", "0.bias"]
    assert left == [
        "1.weight: (4, 3) in what was saved, (1, 3) here",
        "1.bias: (4,) in what was saved, (1,) here",
        "extra: (2,) in what was saved, nothing here",
    ]


def test_to_take_nothing_at_all_is_refused():
    with pytest.raises(ShapeError, match="weight: nothing in what was saved"):
        fitting(nn.Linear(2, 1), {"a.weight": torch.zeros(1, 2)}, strict=False)


def compiled(model):
    return torch.compile(model, backend="eager")


WRAPPERS = {
    "compiled": compiled,
    "a part compiled": lambda m: nn.Sequential(compiled(m[0]), m[1]),
    "data parallel": nn.DataParallel,
    "both": lambda m: compiled(nn.DataParallel(m)),
    "not": lambda m: m,
}


@pytest.mark.parametrize("a", WRAPPERS)
@pytest.mark.parametrize("b", WRAPPERS)
def test_wrappers_of_a_model_make_no_difference(a, b):
    one, other = (
        WRAPPERS[name](nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
        for name in (a, b)
    )
    weights, left = fitting(one, other.state_dict())
    assert left == []
    one.load_state_dict(weights)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_part_whose_own_name_is_that_of_a_wrapper_stays_itself():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.module, self.weight = nn.Linear(1, 1), nn.Parameter(torch.zeros(1, 1))

    saved = Two().state_dict()
    assert list(saved) == ["weight", "module.weight", "module.bias"]
    assert fitting(Two(), saved) == (saved, [])


# Optimizers


def params():
    torch.manual_seed(0)
    return list(nn.Linear(3, 2).parameters())


def stepped(make):
    ps = params()
    opt = make(ps)
    for p in ps:
        p.grad = torch.ones_like(p)
    opt.step()
    return opt


def state_of(opt):
    return {"opt": opt.state_dict(), "opt_class": type(opt).__name__}


optim = torch.optim
KINDS = {
    "SGD": partial(optim.SGD, lr=0.1, momentum=0.9),
    "our SGD": partial(SGD, lr=0.1, momentum=0.9),
    "Adam": optim.Adam,
    "AdamW": optim.AdamW,
    "amsgrad": partial(optim.AdamW, amsgrad=True),
    "Adamax": optim.Adamax,
    "RAdam": optim.RAdam,
    "NAdam": optim.NAdam,
    "RMSprop": optim.RMSprop,
    "centered": partial(optim.RMSprop, centered=True),
    "Adagrad": optim.Adagrad,
    "Adadelta": optim.Adadelta,
    "Adafactor": optim.Adafactor,
    "Rprop": optim.Rprop,
    "ASGD": optim.ASGD,
}


@pytest.mark.parametrize("saved", KINDS)
@pytest.mark.parametrize("mine", KINDS)
@pytest.mark.parametrize("hypers", [True, False])
def test_a_state_goes_into_its_own_kind_and_steps_on(saved, mine, hypers):
    state, opt = state_of(stepped(KINDS[saved])), stepped(KINDS[mine])
    both_sgd = {saved, mine} == {"SGD", "our SGD"}
    if saved != mine and not (both_sgd and not hypers):
        with pytest.raises(OptionError, match="must be of the same kind"):
            fitting_optimizer(opt, state, hypers=hypers)
        return
    opt.load_state_dict(fitting_optimizer(opt, state, hypers=hypers))
    opt.step()


def test_without_the_name_of_its_class_a_state_goes_by_its_hyper_parameters():
    state = {"opt": stepped(KINDS["SGD"]).state_dict()}
    with pytest.raises(
        OptionError, match=r"dampening, lr, .*; here with amsgrad, betas"
    ):
        fitting_optimizer(stepped(KINDS["Adam"]), state, hypers=False)


def test_hyper_parameters_are_taken_if_asked_for():
    state, opt = state_of(stepped(KINDS["Adam"])), optim.Adam(params(), lr=0.5)
    state["opt"]["param_groups"][0]["initial_lr"] = 0.1  # left by a scheduler
    for hypers, lr in ((True, 1e-3), (False, 0.5)):
        (group,) = fitting_optimizer(opt, state, hypers=hypers)["param_groups"]
        assert group["lr"] == lr
        assert ("initial_lr" in group) is hypers


def test_moments_are_not_shared():
    one, other = stepped(KINDS["Adam"]), optim.Adam(params())
    other.load_state_dict(fitting_optimizer(other, state_of(one), hypers=True))
    moments = [next(iter(o.state.values()))["exp_avg"] for o in (one, other)]
    assert torch.equal(*moments)
    assert moments[0].data_ptr() != moments[1].data_ptr()


def test_other_groups_are_refused():
    w, b = params()
    one, two = optim.Adam([w, b]), optim.Adam([{"params": [w]}, {"params": [b]}])
    with pytest.raises(OptionError, match=r"\[2\] parameters .*; here \[1, 1\]"):
        fitting_optimizer(two, state_of(one), hypers=False)


def test_groups_in_another_order_are_seen_by_the_shapes():
    w, b = params()
    turned = optim.Adam([b, w])
    with pytest.raises(ShapeError, match=r"exp_avg of parameter 0: tensor \(2, 3\)"):
        fitting_optimizer(turned, state_of(stepped(KINDS["Adam"])), hypers=False)


def test_an_optimizer_of_somebody_else_may_remember_what_it_likes():
    class Whitening(optim.SGD):
        pass

    state = state_of(stepped(partial(Whitening, lr=0.1)))
    state["opt"]["state"] = {0: {"inverse": torch.zeros(2, 2), "n": 3}}
    opt = Whitening(params(), lr=0.1)
    got = fitting_optimizer(opt, state, hypers=True)["state"][0]
    assert torch.equal(got.pop("inverse"), torch.zeros(2, 2))
    assert got == {"n": 3}


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"param_groups": {}},
        {"param_groups": [5]},
        {"param_groups": [{"params": 2}]},
        {"state": {9: {}}},
        {"state": {0: None}},
        {"state": {"a": {}}},
    ],
)
def test_what_is_no_state_of_an_optimizer_is_refused(change):
    state = state_of(stepped(KINDS["Adam"]))
    state["opt"] = state["opt"] | change
    with pytest.raises(DataError, match="with_opt=False"):
        fitting_optimizer(optim.Adam(params()), state, hypers=True)


def test_a_hyper_parameter_that_is_no_number_is_refused():
    state = state_of(stepped(KINDS["Adam"]))
    state["opt"]["param_groups"][0]["lr"] = "a"
    with pytest.raises(OptionError, match="one with lr='a'"):
        fitting_optimizer(optim.Adam(params()), state, hypers=True)
