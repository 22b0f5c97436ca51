import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils._python_dispatch import TorchDispatchMode

from minifast.errors import DTypeError, OptionError
from minifast.optim.optimizers import SGD

SETTINGS = [
    {"lr": 0.1},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.1, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
]
SCHEDULERS = [
    lambda opt: lr_scheduler.StepLR(opt, 10, gamma=0.5),
    lambda opt: lr_scheduler.CosineAnnealingLR(opt, 60),
    lambda opt: lr_scheduler.LambdaLR(opt, lambda step: 0.95**step),
    lambda opt: lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=61),
]


def problem(dtype=torch.float64):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    return model, torch.randn(32, 6, dtype=dtype), torch.randn(32, 3, dtype=dtype)


def trained(build, *, n_steps=60, scheduler=None, scaler=None, dtype=torch.float64):
    """Train from the same start; return the parameters and the rates of each step."""
    model, x, y = problem(dtype)
    opt = build(model)
    schedule = scheduler(opt) if scheduler else None
    rates = []
    for _ in range(n_steps):
        rates.append([group["lr"] for group in opt.param_groups])
        loss = (model(x) - y).square().mean()
        if scaler:
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
        else:
            loss.backward()
            opt.step()
        opt.zero_grad()
        if schedule:
            schedule.step()
    return [p.detach() for p in model.parameters()], rates


def both(make_args):
    return (
        lambda model: SGD(**make_args(model)),
        lambda model: torch.optim.SGD(**make_args(model)),
    )


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_sixty_steps_agree_with_torch(settings, dtype):
    ours, theirs = both(lambda model: {"params": model.parameters(), **settings})
    expected, _ = trained(theirs, dtype=dtype)
    got, _ = trained(ours, dtype=dtype)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_torchs_schedulers_drive_it(settings, scheduler):
    if scheduler is SCHEDULERS[3] and "momentum" not in settings:
        settings = {**settings, "momentum": 0.9}  # OneCycleLR moves the momentum too
    ours, theirs = both(lambda model: {"params": model.parameters(), **settings})
    expected, expected_rates = trained(theirs, scheduler=scheduler)
    got, rates = trained(ours, scheduler=scheduler)
    assert rates == expected_rates
    assert len({rate for (rate,) in rates}) > 1
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)


def test_groups_have_settings_of_their_own():
    def groups(model):
        first = {"params": model[0].parameters(), "lr": 0.01, "weight_decay": 0.1}
        return {"params": [first, {"params": model[2].parameters()}], "lr": 0.1}

    ours, theirs = both(groups)
    expected, _ = trained(theirs)
    got, rates = trained(ours)
    assert rates[0] == [0.01, 0.1]
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_gradient_scaler_changes_nothing_but_the_size_on_the_way(enabled):
    ours, _ = both(lambda model: {"params": model.parameters(), **SETTINGS[3]})
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=enabled)
    expected, _ = trained(ours)
    got, _ = trained(ours, scaler=scaler)
    torch.testing.assert_close(got, expected)


def test_a_gradient_scaler_skips_the_step_of_an_overflow():
    p = nn.Parameter(torch.ones(3))
    opt, scaler = SGD([p], lr=0.1, momentum=0.9), torch.amp.GradScaler("cpu")
    scaler.scale(p.sum() * math.inf).backward()
    scaler.step(opt)
    assert torch.equal(p, torch.ones(3))
    assert not opt.state


def continued(opt, model, x, y):
    for _ in range(5):
        (model(x) - y).square().mean().backward()
        opt.step()
        opt.zero_grad()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("saved_by", [SGD, torch.optim.SGD])
def test_a_saved_state_goes_on_where_it_was_also_that_of_torch(saved_by):
    model, x, y = problem()
    opt = saved_by(model.parameters(), lr=0.05, momentum=0.9)
    continued(opt, model, x, y)
    state = pickle.loads(pickle.dumps(opt.state_dict()))
    twin = copy.deepcopy(model)
    other = SGD(twin.parameters(), lr=1.0, momentum=0.5)
    other.load_state_dict(state)
    assert other.param_groups[0]["lr"] == 0.05
    expected = continued(opt, model, x, y)
    torch.testing.assert_close(continued(other, twin, x, y), expected)


def test_parameters_without_a_gradient_stay_and_can_join_later():
    frozen, free = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    opt = SGD([frozen, free], lr=0.1, momentum=0.5, weight_decay=0.1)
    opt.step()
    assert torch.equal(free, torch.ones(2))

    free.grad = torch.ones(2)
    opt.step()
    assert torch.equal(frozen, torch.ones(2))
    torch.testing.assert_close(free.data, torch.full((2,), 1 - 0.1 * 1.1))

    frozen.grad = torch.ones(2)
    opt.step()
    torch.testing.assert_close(frozen.data, torch.full((2,), 1 - 0.1 * 1.1))


def test_a_new_group_takes_the_defaults_and_is_checked():
    one, two = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    opt = SGD([one], lr=0.1, momentum=0.9)
    opt.add_param_group({"params": [two], "lr": 0.2})
    assert opt.param_groups[1]["momentum"] == 0.9
    with pytest.raises(OptionError):
        opt.add_param_group({"params": [nn.Parameter(torch.ones(2))], "lr": -1})
    assert len(opt.param_groups) == 2


def test_parameters_of_several_dtypes_step_together():
    params = [
        nn.Parameter(torch.ones(2, dtype=dtype))
        for dtype in (torch.float64, torch.bfloat16, torch.float32)
    ]
    for p in params:
        p.grad = torch.ones_like(p)
    SGD(params, lr=0.5, momentum=0.9, weight_decay=0.5).step()
    for p in params:
        assert p.tolist() == [0.25, 0.25]


def test_the_gradients_are_left_as_they_were():
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    opt = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    opt.step()
    opt.step()
    assert torch.equal(p.grad, torch.ones(2))


def test_a_closure_is_called_with_gradients_on_and_its_loss_returned():
    p = nn.Parameter(torch.ones(2))
    opt = SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert opt.step(closure) == 2
    torch.testing.assert_close(p.data, torch.full((2,), 0.8))


class CountedCalls(TorchDispatchMode):
    """Lists the torch operations that run inside."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_step_makes_as_many_calls_for_a_hundred_parameters_as_for_one():
    calls = []
    for n in (1, 100):
        params = [nn.Parameter(torch.ones(2)) for _ in range(n)]
        for p in params:
            p.grad = torch.ones(2)
        opt = SGD(params, lr=0.1, momentum=0.9, weight_decay=0.1)
        opt.step()  # makes the buffers
        with CountedCalls() as counted:
            opt.step()
        calls.append(counted.names)
    assert calls[0] == calls[1]
    assert sum(name.startswith("_foreach") for name in calls[0]) == 4


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(5, 2, sparse=True)
    opt = SGD(embedding.parameters(), lr=0.1)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(DTypeError) as caught:
        opt.step()
    assert str(caught.value) == (
        "Gradients must be dense.\n"
        "  got: tensor (5, 2) float32 on cpu\n"
        "  fix: Use nn.Embedding(..., sparse=False)."
    )


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_rates_must_not_be_negative(name, value):
    with pytest.raises(OptionError) as caught:
        SGD([nn.Parameter(torch.ones(2))], **{"lr": 0.1, name: value})
    assert str(caught.value) == (
        f"{name} must not be negative.\n"
        f"  got: {name}={value}\n"
        "  fix: Gradients are subtracted."
    )


@pytest.mark.parametrize("value", [-0.1, 1.0, 9.0, math.nan])
def test_momentum_must_be_a_fraction(value):
    with pytest.raises(OptionError) as caught:
        SGD([nn.Parameter(torch.ones(2))], lr=0.1, momentum=value)
    assert str(caught.value) == (
        "momentum must be from 0 to below 1.\n"
        f"  got: momentum={value}\n"
        "  fix: 0.9 is a usual value."
    )


def test_arguments_have_the_order_of_torch():
    p = nn.Parameter(torch.ones(2))
    names = ["lr", "momentum", "weight_decay"]
    for args in ([0.1], [0.1, 0.9]):
        ours, theirs = SGD([p], *args), torch.optim.SGD([p], *args)
        for name in names:
            assert ours.param_groups[0][name] == theirs.param_groups[0][name]


def test_numbers_of_numpy_are_kept_as_pythons_so_that_states_are_plain(tmp_path):
    one, two = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    rate = np.logspace(-2, -1, 2)[0]
    opt = SGD([one], rate, np.float32(0.5), weight_decay=np.int64(1))
    opt.add_param_group({"params": [two], "lr": rate, "momentum": torch.tensor(0.5)})
    for group in opt.param_groups:
        for name in ("lr", "momentum", "weight_decay"):
            assert type(group[name]) is float
    torch.save(opt.state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt") == opt.state_dict()  # weights only


def test_a_group_that_is_added_is_left_as_it_was():
    opt = SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    group = {"params": nn.Parameter(torch.ones(2)), "lr": np.float64(0.2)}
    before = dict(group)
    opt.add_param_group(group)
    assert group == before


@pytest.mark.parametrize("value", ["1e-3", None, [0.1]])
@pytest.mark.parametrize("name", ["lr", "momentum", "weight_decay"])
def test_a_setting_must_be_a_number(name, value):
    p, q = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    for build in (
        lambda: SGD([p], **{"lr": 0.1, name: value}),
        lambda: SGD([p], lr=0.1).add_param_group({"params": [q], name: value}),
    ):
        with pytest.raises(DTypeError) as caught:
            build()
        assert str(caught.value) == (
            f"{name} must be a number.\n"
            f"  got: {name}={value!r}\n"
            f"  fix: Use float({name})."
        )


@pytest.mark.parametrize(
    ("params", "got"),
    [
        (nn.Linear(2, 1), "a model, Linear"),
        (nn.Sequential(nn.Linear(2, 1)), "a model, Sequential"),
        ([1.0], "list of float"),
        ([nn.Sequential(nn.Linear(2, 1))], "list of Sequential"),
        ({"params": []}, "dict of str"),
    ],
)
def test_what_is_no_parameter_is_refused(params, got):
    for build in (
        lambda: SGD(params, lr=0.1),
        lambda: SGD([{"params": params}], lr=0.1),
    ):
        with pytest.raises(DTypeError) as caught:
            build()
        assert str(caught.value) == (
            "The optimizer must be given parameters: tensors, or groups of them.\n"
            f"  got: {got}\n"
            "  fix: Use model.parameters()."
        )


def test_a_set_is_refused_as_it_has_no_order():
    with pytest.raises(DTypeError) as caught:
        SGD(set(nn.Linear(2, 1).parameters()), lr=0.1)
    assert str(caught.value) == (
        "The optimizer must be given parameters: tensors, or groups of them.\n"
        "  got: a set, which has no order\n"
        "  fix: Use a list."
    )


def used_up():
    params = nn.Linear(2, 1).parameters()
    list(params)
    return params


@pytest.mark.parametrize(
    ("make", "build"),
    [
        (list, lambda params: SGD(params, lr=0.1)),
        (used_up, lambda params: SGD(params, lr=0.1)),
        (used_up, lambda params: SGD([{"params": params}], lr=0.1)),
    ],
)
def test_there_must_be_a_parameter(make, build):
    with pytest.raises(OptionError) as caught:
        build(make())
    assert str(caught.value) == (
        "There must be at least one parameter to optimize.\n"
        f"  got: {type(make()).__name__} with nothing in it\n"
        "  fix: Call model.parameters() anew: what it returns can be used once."
    )


def test_a_group_may_be_an_empty_list_as_in_torch():
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    SGD([{"params": [p]}, {"params": []}], lr=0.5).step()
    assert p.tolist() == [0.5, 0.5]


def test_a_single_tensor_and_named_parameters_are_taken_as_by_torch():
    layer = nn.Linear(2, 1)
    assert SGD([{"params": layer.weight}], 0.1).param_groups[0]["params"] == [
        layer.weight
    ]
    opt = SGD(layer.named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
