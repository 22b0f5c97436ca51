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
from minifast.losses import cross_entropy, log_softmax, logsumexp, nll_loss

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
    ours = value_and_grad(cross_entropy, logits, target, reduction=reduction)
    theirs = value_and_grad(F.cross_entropy, logits, target, reduction=reduction)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_probability_targets_agree_with_torch(shape, reduction):
    logits, _ = logits_and_target(shape)
    target = probabilities(shape)
    ours = value_and_grad(cross_entropy, logits, target, reduction=reduction)
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
def test_cross_entropy_is_nll_loss_of_log_softmax(shape, reduction):
    logits, target = logits_and_target(shape)
    fused = value_and_grad(cross_entropy, logits, target, reduction=reduction)
    parts = value_and_grad(
        lambda x: nll_loss(log_softmax(x, 1), target, reduction=reduction), logits
    )
    torch.testing.assert_close(fused, parts)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nll_loss_agrees_with_torch(shape, reduction):
    log_probs, target = logits_and_target(shape)
    ours = value_and_grad(nll_loss, log_probs, target, reduction=reduction)
    theirs = value_and_grad(F.nll_loss, log_probs, target, reduction=reduction)
    torch.testing.assert_close(ours, theirs)


WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.5, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("shape", [(8, 5), (1, 5), (4, 5, 2), (2, 5, 3, 4)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("ignore_index", [-100, 2, 255, -1])
def test_weights_and_ignored_targets_agree_with_torch(
    shape, reduction, weight, ignore_index
):
    logits, target = logits_and_target(shape)
    target[1::2] = ignore_index
    options = {
        "weight": weight,
        "ignore_index": ignore_index,
        "reduction": reduction,
    }
    ours = value_and_grad(cross_entropy, logits, target, **options)
    theirs = value_and_grad(F.cross_entropy, logits, target, **options)
    torch.testing.assert_close(ours, theirs)
    ours = value_and_grad(nll_loss, logits, target, **options)
    theirs = value_and_grad(F.nll_loss, logits, target, **options)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", [(8, 5), (4, 5, 2), (2, 5, 3, 4)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_probability_targets_agree_with_torch(shape, reduction):
    logits, target = logits_and_target(shape)[0], probabilities(shape)
    options = {"weight": WEIGHT, "reduction": reduction}
    ours = value_and_grad(cross_entropy, logits, target, **options)
    theirs = value_and_grad(F.cross_entropy, logits, target, **options)
    torch.testing.assert_close(ours, theirs)


def test_the_mean_over_nothing_but_ignored_targets_is_nan_as_in_torch():
    logits, target = torch.zeros(3, 4), torch.full((3,), -100)
    assert cross_entropy(logits, target).isnan()
    assert F.cross_entropy(logits, target).isnan()
    assert cross_entropy(logits, target, reduction="sum") == 0


def test_an_ignored_item_adds_nothing_also_where_its_loss_would_be_infinite():
    logits = torch.tensor([[-INF, 0.0], [1.0, 1.0]])
    loss, grad = value_and_grad(cross_entropy, logits, torch.tensor([-100, 0]))
    assert loss.item() == pytest.approx(math.log(2))
    torch.testing.assert_close(grad, torch.tensor([[0.0, 0.0], [-0.5, 0.5]]))


def test_weights_of_half_precision_are_computed_in_float32():
    logits, target = logits_and_target((8, 5), torch.bfloat16)
    loss = cross_entropy(logits, target, WEIGHT.bfloat16())
    expected = F.cross_entropy(logits.float(), target, WEIGHT.float())
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
@pytest.mark.parametrize(
    ("weight", "got"),
    [
        (torch.ones(3), "tensor (3,) float32 on cpu"),
        (torch.ones(1, 10), "tensor (1, 10) float32 on cpu"),
        ("sum", "str of length 3"),
    ],
)
def test_there_must_be_one_weight_for_each_class(loss, weight, got):
    with pytest.raises(ShapeError) as caught:
        loss(torch.zeros(3, 10), torch.zeros(3).long(), weight)
    assert str(caught.value) == (
        "The weight must have 10 numbers, one for each class.\n"
        f"  got: {got}\n"
        "  fix: Give other options by name, as in reduction='sum'."
    )


def test_weights_must_be_on_the_device_of_the_logits():
    weight = torch.ones(10, device="meta")
    for target in (torch.zeros(3).long(), torch.full((3, 10), 0.1)):
        with pytest.raises(DeviceError) as caught:
            cross_entropy(torch.zeros(3, 10), target, weight)
        assert str(caught.value) == (
            "Logits and weights must be on one device.\n"
            "  got: logits: tensor (3, 10) float32 on cpu; "
            "weight: tensor (10,) float32 on meta\n"
            "  fix: Use weight.to(logits.device)."
        )


def test_samples_can_have_gradients_of_their_own_by_torch_func():
    logits, target = logits_and_target((6, 4))

    def loss(row, right):
        return nll_loss(log_softmax(row[None], 1), right[None])

    rows = torch.func.vmap(torch.func.grad(loss))(logits.detach(), target)
    _, expected = value_and_grad(F.cross_entropy, logits, target, reduction="sum")
    torch.testing.assert_close(rows, expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2)])
def test_both_derivatives_pass_the_finite_differences(shape, reduction):
    logits, classes = logits_and_target(shape)
    for target in (classes, probabilities(shape)):

        def loss(logits, target=target):
            return cross_entropy(logits, target, reduction=reduction)

        assert gradcheck(loss, [logits])
        assert gradgradcheck(loss, [logits])

    def with_targets(logits, target):
        return cross_entropy(logits, target, reduction=reduction)

    both = [logits, probabilities(shape).requires_grad_()]
    assert gradcheck(with_targets, both)
    assert gradgradcheck(with_targets, both)

    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    classes[0] = -100

    def weighted(logits):
        return cross_entropy(logits, classes, weight, reduction=reduction)

    assert gradcheck(weighted, [logits])
    assert gradgradcheck(weighted, [logits])


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
    assert nll_loss(logits, target).dtype is torch.float32


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
    assert cross_entropy(logits, target, reduction="sum") == 0
    assert cross_entropy(logits, target, reduction="none").shape == (0,)
    cross_entropy(logits, target).backward()
    assert logits.grad.shape == (0, 3)


def test_no_batch_waits_for_the_device():
    """A tensor on meta has no numbers: to look at one is an error."""
    logits, target = (each.to("meta") for each in logits_and_target((6, 4)))
    logits = logits.detach().requires_grad_()
    weight = torch.ones(4, device="meta")
    for t in (target, probabilities((6, 4)).to("meta")):
        cross_entropy(logits, t, weight).backward()
    nll_loss(log_softmax(logits), target, weight).backward()
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        bool((target == 0).any())


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
@pytest.mark.parametrize("wrong", [10, 255, -1, -101])
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


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
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


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
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
        (nll_loss, torch.zeros(3).long()),
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
