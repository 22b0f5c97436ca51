import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from minifast import losses
from minifast.errors import (
    DeviceError,
    DTypeError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from minifast.losses import cross_entropy, log_softmax, logsumexp, nll

INF = math.inf
SHAPES = [(64, 10), (1, 1), (3, 1), (1, 5), (4, 3, 2), (2, 5, 3, 4)]
REDUCTIONS = ["mean", "sum", "none"]
ROWS = [
    [0.0, -INF],
    [-INF, -INF],
    [INF, 0.0],
    [INF, -INF],
    [math.nan, 1.0],
    [1e38, -1e38],
    [1000.0, 1000.0],
    [-1000.0, -1001.0],
]


def logits_and_target(shape, dtype=torch.float64):
    logits = torch.randn(shape, dtype=dtype) * 3
    target = torch.randint(shape[1], shape[:1] + shape[2:])
    return logits.requires_grad_(), target


def probabilities(shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype).softmax(1)


def value_and_grad(func, x, *args, **kwargs):
    x = x.detach().clone().requires_grad_()
    y = func(x, *args, **kwargs)
    y.backward(torch.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape))
    return y.detach(), x.grad


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("keepdim", [False, True])
def test_logsumexp_agrees_with_torch(dim, keepdim):
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    ours = value_and_grad(logsumexp, x, dim, keepdim=keepdim)
    theirs = value_and_grad(torch.logsumexp, x, dim, keepdim=keepdim)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_log_softmax_agrees_with_torch(dim):
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    ours = value_and_grad(log_softmax, x, dim)
    torch.testing.assert_close(ours, value_and_grad(torch.log_softmax, x, dim))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(logsumexp, torch.logsumexp), (log_softmax, torch.log_softmax)],
)
def test_extreme_rows_agree_with_torch(row, ours, theirs):
    x = torch.tensor(row)
    # In float32, torch's own derivative of logsumexp is off by 1e-5 at 1000.
    value, grad = value_and_grad(theirs, x.double(), -1)
    expected = value.float(), grad.float()
    torch.testing.assert_close(value_and_grad(ours, x, -1), expected, equal_nan=True)


def test_log_softmax_keeps_the_digits_beside_a_large_logit():
    x = torch.tensor([1e7, 1e7 - 1])
    expected = torch.tensor([0.0, -1.0]) - math.log(1 + math.exp(-1))
    torch.testing.assert_close(log_softmax(x), expected)
    assert not torch.allclose(x - logsumexp(x), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cross_entropy_agrees_with_torch(shape, reduction, dtype):
    logits, target = logits_and_target(shape, dtype)
    ours = value_and_grad(cross_entropy, logits, target, reduction)
    theirs = value_and_grad(F.cross_entropy, logits, target, reduction=reduction)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_probability_targets_agree_with_torch(shape, reduction):
    logits, _ = logits_and_target(shape)
    target = probabilities(shape)
    ours = value_and_grad(cross_entropy, logits, target, reduction)
    theirs = value_and_grad(F.cross_entropy, logits, target, reduction=reduction)
    torch.testing.assert_close(ours, theirs)


def test_probabilities_need_not_sum_to_one_as_in_torch():
    logits, _ = logits_and_target((4, 3))
    target = torch.rand(4, 3, dtype=torch.float64) * 2
    ours = value_and_grad(cross_entropy, logits, target)
    torch.testing.assert_close(ours, value_and_grad(F.cross_entropy, logits, target))


def test_certain_probabilities_are_class_indices():
    logits, target = logits_and_target((8, 5))
    certain = F.one_hot(target, 5).double()
    torch.testing.assert_close(
        cross_entropy(logits, certain), cross_entropy(logits, target)
    )


def test_probability_targets_may_have_another_float_dtype_and_a_gradient():
    logits, _ = logits_and_target((4, 3), torch.float32)
    target = probabilities((4, 3), torch.float32)
    double = cross_entropy(logits, target.double())
    torch.testing.assert_close(double.float(), cross_entropy(logits, target))

    _, grad = value_and_grad(lambda t: cross_entropy(logits.detach(), t), target)
    torch.testing.assert_close(grad, -log_softmax(logits).detach() / 4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_is_nll_of_log_softmax(shape, reduction):
    logits, target = logits_and_target(shape)
    fused = value_and_grad(cross_entropy, logits, target, reduction)
    parts = value_and_grad(lambda x: nll(log_softmax(x, 1), target, reduction), logits)
    torch.testing.assert_close(fused, parts)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nll_agrees_with_torch(shape, reduction):
    log_probs, target = logits_and_target(shape)
    ours = value_and_grad(nll, log_probs, target, reduction)
    theirs = value_and_grad(F.nll_loss, log_probs, target, reduction=reduction)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2)])
def test_both_derivatives_pass_the_finite_differences(shape, reduction):
    logits, classes = logits_and_target(shape)
    for target in (classes, probabilities(shape)):

        def loss(logits, target=target):
            return cross_entropy(logits, target, reduction)

        assert gradcheck(loss, [logits])
        assert gradgradcheck(loss, [logits])


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("right", [0, 1])
def test_extreme_logits_agree_with_torch(row, right):
    logits, target = torch.tensor([row, [0.5, 0.25]]), torch.tensor([right, 0])
    ours = value_and_grad(cross_entropy, logits, target)
    theirs = value_and_grad(F.cross_entropy, logits, target)
    torch.testing.assert_close(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("where", ["logits", "target"])
def test_a_nan_is_not_hidden(where):
    inputs = {"logits": torch.zeros(2, 3), "target": torch.full((2, 3), 1 / 3)}
    inputs[where][0, 1] = math.nan
    losses = cross_entropy(**inputs, reduction="none")
    assert losses.isnan().tolist() == [True, False]


def test_a_class_that_is_ruled_out_costs_nothing_where_it_is_not_the_target():
    logits, target = torch.tensor([[-INF, 1.0, 1.0]]), torch.tensor([[0.0, 0.5, 0.5]])
    for t in (target, target.clone().requires_grad_()):
        loss, grad = value_and_grad(cross_entropy, logits, t)
        assert loss.item() == pytest.approx(math.log(2))
        torch.testing.assert_close(grad, torch.zeros(1, 3))
    assert cross_entropy(logits, torch.tensor([[0.1, 0.9, 0.0]])) == INF


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_and_returned_as_float32(dtype):
    logits, target = logits_and_target((6, 4), dtype)
    for t in (target, probabilities((6, 4), dtype)):
        loss = cross_entropy(logits, t)
        assert loss.dtype is torch.float32
        expected = F.cross_entropy(logits.float(), t.float() if t.ndim == 2 else t)
        torch.testing.assert_close(loss, expected)
    loss.backward()
    assert logits.grad.dtype is dtype
    assert logsumexp(logits).dtype is torch.float32
    assert log_softmax(logits).dtype is torch.float32
    assert nll(logits, target).dtype is torch.float32


def test_logits_and_targets_are_left_as_they_were():
    logits, target = logits_and_target((6, 4))
    before = logits.detach().clone(), target.clone()
    cross_entropy(logits, target).backward()
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


def test_a_graph_that_is_kept_can_be_used_twice():
    logits, target = logits_and_target((6, 4))
    loss = cross_entropy(logits, target)
    (first,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (second,) = torch.autograd.grad(loss, logits)
    assert torch.equal(first, second)


def test_an_empty_batch_has_no_mean_and_the_sum_zero_as_in_torch():
    logits, target = torch.zeros(0, 3, requires_grad=True), torch.zeros(0).long()
    assert cross_entropy(logits, target).isnan()
    assert cross_entropy(logits, target, "sum") == 0
    assert cross_entropy(logits, target, "none").shape == (0,)
    cross_entropy(logits, target).backward()
    assert logits.grad.shape == (0, 3)


def test_no_batch_waits_for_the_device(monkeypatch):
    def sync(self, *args, **kwargs):
        raise AssertionError("the loss looked at a number")

    for name in ("item", "tolist", "cpu", "__bool__", "__float__", "__int__", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, sync)
    logits, target = logits_and_target((6, 4))
    for t in (target, probabilities((6, 4))):
        cross_entropy(logits, t).backward()
    nll(log_softmax(logits), target).backward()


@pytest.mark.parametrize("loss", [cross_entropy, nll])
@pytest.mark.parametrize("wrong", [10, 255, -1, -100])
def test_a_target_that_is_no_class_is_refused(loss, wrong):
    target = torch.tensor([3, wrong, 0])
    with pytest.raises(OptionError) as caught:
        loss(torch.zeros(3, 10), target)
    assert str(caught.value) == (
        "With 10 logits, class indices must be 0 to 9.\n"
        f"  got: {wrong} among the targets\n"
        "  fix: Give the last layer one output for each class, numbered from 0."
    )
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("loss", [cross_entropy, nll])
@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool])
def test_targets_must_be_int64(loss, dtype):
    with pytest.raises(DTypeError) as caught:
        loss(torch.zeros(3, 10), torch.zeros(3, dtype=dtype))
    name = str(dtype).removeprefix("torch.")
    assert str(caught.value) == (
        "Targets must be int64 class indices.\n"
        "  got: logits: tensor (3, 10) float32 on cpu; "
        f"target: tensor (3,) {name} on cpu\n"
        "  fix: Use target.long()."
    )


@pytest.mark.parametrize("loss", [cross_entropy, nll])
@pytest.mark.parametrize(
    ("shape", "target_shape"),
    [
        ((3, 10), (3, 1)),
        ((3, 10), (1,)),
        ((3, 10), (2,)),
        ((10,), ()),
        ((3, 4, 5), (3, 4)),
    ],
)
def test_targets_must_have_the_shape_without_the_classes(loss, shape, target_shape):
    with pytest.raises(ShapeError) as caught:
        loss(torch.zeros(shape), torch.zeros(target_shape).long())
    assert str(caught.value) == (
        "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...).\n"
        f"  got: logits: tensor {shape} float32 on cpu; "
        f"target: tensor {target_shape} int64 on cpu\n"
        "  fix: Squeeze a last dimension of size 1: target.squeeze(-1)."
    )


@pytest.mark.parametrize("target_shape", [(3,), (3, 1), (1, 10)])
def test_probabilities_must_have_the_shape_of_the_logits(target_shape):
    with pytest.raises(ShapeError) as caught:
        cross_entropy(torch.zeros(3, 10), torch.zeros(target_shape))
    assert str(caught.value) == (
        "Probability targets must have the shape of the logits, (B, K, ...).\n"
        "  got: logits: tensor (3, 10) float32 on cpu; "
        f"target: tensor {target_shape} float32 on cpu\n"
        "  fix: Class indices must be int64: target.long()."
    )


@pytest.mark.parametrize("func", [logsumexp, log_softmax])
def test_integer_logits_are_refused(func):
    with pytest.raises(DTypeError) as caught:
        func(torch.zeros(3, 10).long())
    assert str(caught.value) == (
        "Logits must be floating-point numbers.\n"
        "  got: tensor (3, 10) int64 on cpu\n"
        "  fix: Use x.float()."
    )


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (cross_entropy, torch.zeros(3).long()),
        (cross_entropy, torch.full((3, 10), 0.1)),
        (nll, torch.zeros(3).long()),
    ],
)
def test_logits_and_targets_must_be_on_one_device(loss, target):
    with pytest.raises(DeviceError) as caught:
        loss(torch.zeros(3, 10), target.to("meta"))
    dtype = str(target.dtype).removeprefix("torch.")
    assert str(caught.value) == (
        "Logits and targets must be on one device.\n"
        "  got: logits: tensor (3, 10) float32 on cpu; "
        f"target: tensor {tuple(target.shape)} {dtype} on meta\n"
        "  fix: Use target.to(logits.device)."
    )


@pytest.mark.parametrize("target", [torch.zeros(3).long(), torch.full((3, 10), 0.1)])
def test_a_misspelled_reduction_is_told_the_closest(target):
    with pytest.raises(UnknownNameError) as caught:
        cross_entropy(torch.zeros(3, 10), target, reduction="avg_mean")
    assert str(caught.value) == (
        "The reduction must be one of: mean, none, sum.\n"
        "  got: 'avg_mean'\n"
        "  fix: Did you mean 'mean'?"
    )


def test_other_failures_are_passed_on(monkeypatch):
    def fail(*args):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(losses, "_cross_entropy", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        cross_entropy(torch.zeros(3, 10), torch.zeros(3).long())
