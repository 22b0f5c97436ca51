import copy

import pytest
import torch
from torch import nn

from minifast.errors import OptionError, ShapeError
from minifast.nn import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RunningBatchNorm,
)

PAIRS = {
    "batch": (lambda: BatchNorm(8), lambda: nn.BatchNorm2d(8), (6, 8, 5, 4)),
    "batch of rows": (lambda: BatchNorm(8), lambda: nn.BatchNorm1d(8), (6, 8)),
    "batch, average of all": (
        lambda: BatchNorm(8, momentum=None),
        lambda: nn.BatchNorm1d(8, momentum=None),
        (6, 8, 5),
    ),
    "batch, no weights": (
        lambda: BatchNorm(8, affine=False),
        lambda: nn.BatchNorm2d(8, affine=False),
        (2, 8, 1, 1),
    ),
    "group": (lambda: GroupNorm(4, 8), lambda: nn.GroupNorm(4, 8), (6, 8, 5, 4)),
    "one group": (lambda: GroupNorm(1, 8), lambda: nn.GroupNorm(1, 8), (6, 8)),
    "instance": (
        lambda: InstanceNorm(8),
        lambda: nn.InstanceNorm2d(8, affine=True),
        (6, 8, 5, 4),
    ),
    "layer": (
        lambda: LayerNorm((8, 5, 4)),
        lambda: nn.LayerNorm((8, 5, 4)),
        (6, 8, 5, 4),
    ),
    "layer, last": (lambda: LayerNorm(8), lambda: nn.LayerNorm(8), (3, 5, 8)),
    "layer, no weights": (
        lambda: LayerNorm(8, affine=False),
        lambda: nn.LayerNorm(8, elementwise_affine=False),
        (3, 8),
    ),
}
CHANNELS = [BatchNorm, RunningBatchNorm, InstanceNorm, lambda n: GroupNorm(1, n)]


def drawn(shape, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(shape, dtype=torch.float64, generator=generator) + 2


@pytest.mark.parametrize("name", PAIRS)
def test_outputs_gradients_and_buffers_are_those_of_torch(name):
    make, make_torchs, shape = PAIRS[name]
    ours, torchs = make().double(), make_torchs().double()
    for i, (mine, theirs) in enumerate(
        zip(ours.parameters(), torchs.parameters(), strict=True)
    ):
        with torch.no_grad():
            theirs.copy_(drawn(theirs.shape, i))
            mine.copy_(theirs)
    for step in range(20):
        x = drawn(shape, step)
        grad = drawn(shape, step + 100)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        outputs = [
            norm(each) for norm, each in zip((ours, torchs), inputs, strict=True)
        ]
        for output in outputs:
            output.backward(grad)
        torch.testing.assert_close(*outputs)
        torch.testing.assert_close(*(each.grad for each in inputs))
    for mine, theirs in zip(ours.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())
    ours.eval()
    torchs.eval()
    torch.testing.assert_close(ours(x), torchs(x))


def test_what_torch_has_saved_can_be_loaded_and_the_other_way_round():
    for make, make_torchs, _ in PAIRS.values():
        make().load_state_dict(make_torchs().state_dict())
        make_torchs().load_state_dict(make().state_dict())


def test_the_gradient_of_each_channel_sums_to_zero():
    x = drawn((6, 8, 5, 4)).requires_grad_()
    BatchNorm(8).double()(x).backward(drawn(x.shape, 1))
    assert x.grad.sum((0, 2, 3)).abs().max() < 1e-10


def test_in_evaluation_the_gradient_passes_the_finite_differences():
    norm = BatchNorm(3).double()
    norm(drawn((6, 3, 2)))
    x = drawn((4, 3, 2), 1).requires_grad_()
    assert torch.autograd.gradcheck(norm.eval(), (x,))


@pytest.mark.parametrize("min_var", [0.0, 3.0])
def test_running_batch_norm_passes_the_finite_differences(min_var):
    norm = RunningBatchNorm(3, window=12, min_var=min_var).double()
    with torch.no_grad():
        norm.weight.copy_(drawn((3,)))
    norm(drawn((6, 3, 2)))  # variances of 9 or so, those of the next on both sides of 3

    def once(x):
        return copy.deepcopy(norm)(x)

    x = (drawn((4, 3, 2), 1) * torch.tensor([[[0.1], [1.0], [3.0]]])).requires_grad_()
    assert torch.autograd.gradcheck(once, (x,))


def test_a_batch_as_large_as_the_window_makes_it_batch_norm():
    running, batch = RunningBatchNorm(4, window=8).double(), BatchNorm(4).double()
    for step in range(3):
        x = drawn((8, 4, 3, 3), step)
        torch.testing.assert_close(running(x), batch(x))


def test_its_statistics_are_those_of_all_samples_before_the_window_is_full():
    norm, xs = RunningBatchNorm(4, window=10_000).double(), drawn((12, 4, 3, 3))
    for size in (1, 2, 4, 5):
        norm(xs[:size])
        xs = xs[size:]
    xs = drawn((12, 4, 3, 3))
    # Earlier samples have faded a little: by 1, 2, 4 and 5 ten-thousandths.
    torch.testing.assert_close(norm.running_mean, xs.mean((0, 2, 3)), rtol=2e-3, atol=0)
    var = xs.var((0, 2, 3), correction=0)
    torch.testing.assert_close(norm.running_var, var, rtol=2e-3, atol=0)


def test_it_forgets_what_lies_before_its_window():
    norm = RunningBatchNorm(1, window=100).double()
    norm(drawn((50, 1)) + 1_000)
    for step in range(600):
        norm(drawn((2, 1), step))
    assert norm.running_count == pytest.approx(100, rel=0.01)
    assert norm.running_mean == pytest.approx(2, abs=1)
    assert norm.running_var == pytest.approx(9, rel=0.4)


def test_it_takes_batches_of_one_number():
    norm = RunningBatchNorm(2)
    for step in range(4):
        y = norm(drawn((1, 2, 1, 1), step).float())
        assert y.isfinite().all()
        assert y.abs().max() < 30


def test_a_large_mean_costs_no_digits():
    x = drawn((64, 2, 4, 4))
    shifted = (
        x + 10_000
    ).float()  # of which float32 keeps three digits after the point
    for make in CHANNELS:
        expected = make(2)(x.float())
        torch.testing.assert_close(make(2)(shifted), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [*CHANNELS, lambda n: LayerNorm((n, 4, 4))])
def test_half_precision_keeps_its_type_and_float32_statistics(make, dtype):
    norm, x = make(8), drawn((16, 8, 4, 4)).to(dtype).requires_grad_()
    y = norm(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    assert {each.dtype for each in norm.buffers() if each.is_floating_point()} <= {
        torch.float32
    }
    exact = make(8)(x.detach().float())
    torch.testing.assert_close(y.float(), exact, rtol=0.02, atol=0.02)


def test_autocast_changes_nothing():
    x = drawn((16, 8, 4, 4)).float()
    with torch.autocast("cpu", torch.bfloat16):
        inside = BatchNorm(8)(x)
    assert torch.equal(inside, BatchNorm(8)(x))


def test_a_batch_in_channels_last_gives_the_same():
    x = drawn((4, 8, 5, 4)).float()
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(GroupNorm(2, 8)(last), GroupNorm(2, 8)(x))


@pytest.mark.parametrize("make", CHANNELS)
def test_other_channels_are_refused(make):
    with pytest.raises(ShapeError, match=r"\(B, 8, \.\.\.\)") as caught:
        make(8)(torch.zeros(2, 3, 4, 4))
    assert "(2, 3, 4, 4)" in str(caught.value)
    with pytest.raises(ShapeError):
        make(8)(torch.zeros(8))


@pytest.mark.parametrize("make", [BatchNorm, InstanceNorm, lambda n: GroupNorm(n, n)])
def test_a_single_number_has_no_variance(make):
    with pytest.raises(ShapeError, match="that of one is zero") as caught:
        make(8)(torch.zeros(1, 8, 1, 1))
    assert "1 for each mean" in str(caught.value)
    if make is BatchNorm:
        assert make(8).eval()(torch.zeros(1, 8, 1, 1)).shape == (1, 8, 1, 1)


@pytest.mark.parametrize("make", CHANNELS)
def test_there_must_be_channels(make):
    with pytest.raises(OptionError, match="n_channels"):
        make(0)


def test_groups_must_divide_the_channels():
    with pytest.raises(OptionError, match="groups of one size") as caught:
        GroupNorm(3, 8)
    assert "3 groups for 8 channels" in str(caught.value)
    with pytest.raises(OptionError, match="n_groups"):
        GroupNorm(0, 8)


def test_layer_norm_refuses_other_sizes():
    with pytest.raises(ShapeError, match=r"\(\.\.\., 8, 4\)"):
        LayerNorm((8, 4))(torch.zeros(2, 8, 5))
    with pytest.raises(OptionError, match="two numbers at least"):
        LayerNorm(1)


def test_the_gradient_of_a_gradient_is_refused():
    x = drawn((4, 2)).requires_grad_()
    y = BatchNorm(2).double()(x)
    (grad,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("make", [*CHANNELS, lambda n: LayerNorm((n, 4, 4))])
def test_no_line_asks_for_a_value(make):
    x = torch.zeros(2, 8, 4, 4, device="meta", requires_grad=True)  # it has none
    make(8).to("meta")(x).sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.gpu
@pytest.mark.parametrize("make", CHANNELS)
def test_nothing_waits_for_the_gpu(make):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    norm, x = make(8).cuda(), torch.randn(4, 8, 5, 5, device="cuda", requires_grad=True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        norm(x).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
