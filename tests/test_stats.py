import copy
import pickle

import pytest
import torch

from minifast.errors import OptionError, ShapeError
from minifast.stats import RunningStats, widest_float


def fed(batches, dim=None):
    stats = RunningStats(dim)
    for batch in batches:
        stats.update(batch)
    return stats


def assert_same(stats, expected):
    assert stats.count == expected.count
    torch.testing.assert_close(stats.mean, expected.mean)
    torch.testing.assert_close(stats.var(), expected.var())


@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 2), (0, 2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("correction", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_batches_give_what_torch_gives_for_all_at_once(dim, correction, batch_size):
    x = torch.randn(20, 3, 4, 5, dtype=torch.float64) * 7 + 2
    # Features that are summarised apart must come whole: cut along what is summed.
    along = 0 if dim is None else (dim if isinstance(dim, int) else dim[0])
    stats = fed(x.split(batch_size, along), dim)
    assert stats.count == x.numel() // x.mean(dim).numel()
    torch.testing.assert_close(stats.mean, x.mean(dim))
    torch.testing.assert_close(stats.var(correction), x.var(dim, correction=correction))
    torch.testing.assert_close(stats.std(correction), x.std(dim, correction=correction))


def test_numbers_can_come_one_by_one():
    x = torch.randn(50, dtype=torch.float64)
    stats = fed(x)
    assert stats.count == 50
    torch.testing.assert_close(stats.var(), x.var())


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_a_large_mean_does_not_cost_the_variance_its_digits(offset):
    x = torch.randn(1000, dtype=torch.float64) + offset
    stats = fed(x.split(10))
    expected = (x - offset).var()
    torch.testing.assert_close(stats.var(), expected, rtol=1e-6, atol=0)
    if offset == 1e9:  # the textbook's shortcut has lost them all
        shortcut = x.square().mean() - x.mean().square()
        assert abs(shortcut - expected) > expected / 2


def test_float32_and_bytes_are_added_up_in_float64():
    x = torch.randn(10_000) + 4096
    torch.testing.assert_close(fed(x.split(7)).var(), x.double().var())
    pixels = torch.randint(256, (30, 28, 28), dtype=torch.uint8)
    stats = fed(pixels.split(8))
    assert stats.mean.dtype is torch.float64
    torch.testing.assert_close(stats.mean, pixels.double().mean())
    torch.testing.assert_close(stats.std(0), pixels.double().std(correction=0))


@pytest.mark.parametrize("dim", [None, 0])
@pytest.mark.parametrize("cut", [0, 1, 13, 40])
def test_two_halves_merge_into_the_whole(dim, cut):
    x = torch.randn(40, 3)
    left, right = fed([x[:cut]], dim), fed([x[cut:]], dim)
    before = copy.deepcopy(right)
    left.merge(right)
    assert_same(left, fed([x], dim))
    assert right.count == before.count


def test_merging_leaves_the_other_one_free_to_go_on():
    x = torch.randn(30)
    one, two = RunningStats(), fed([x[:10]])
    one.merge(two)
    one.update(x[10:])
    assert_same(one, fed([x]))
    assert_same(two, fed([x[:10]]))


def test_shards_from_other_processes_merge_into_the_whole():
    x = torch.randn(40, 3)
    whole = RunningStats(0)
    for shard in x.split(7):
        whole.merge(pickle.loads(pickle.dumps(fed(shard.split(2), 0))))
    assert_same(whole, fed([x], 0))


@pytest.mark.gpu
def test_shards_on_other_devices_merge():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    x = torch.randn(40)
    here, there = fed([x[:20]]), fed([x[20:].cuda()])
    here.merge(there)
    assert_same(here, fed([x]))


def test_the_order_of_merging_does_not_matter():
    parts = [fed([torch.randn(n) * n]) for n in (3, 50, 7)]
    results = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        stats = RunningStats()
        for i in order:
            stats.merge(parts[i])
        results.append(stats)
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_a_single_number_has_a_mean_and_no_estimated_variance():
    stats = fed([torch.tensor([3.0])])
    assert stats.mean == 3.0
    assert stats.var(correction=0) == 0.0
    assert stats.var().isnan()
    assert stats.std().isnan()


def test_an_empty_batch_changes_nothing():
    stats = fed([torch.randn(5, 3)], dim=0)
    before = copy.deepcopy(stats)
    stats.update(torch.zeros(0, 3))
    assert_same(stats, before)


def test_reset_forgets():
    stats = fed([torch.randn(5, 3)], dim=0)
    stats.reset()
    assert stats.count == 0
    stats.update(torch.ones(2, 4))
    torch.testing.assert_close(stats.mean, torch.ones(4, dtype=torch.float64))


def test_no_update_waits_for_the_device():
    stats = fed(torch.zeros(6, 3, device="meta").split(4), dim=0)
    stats.merge(copy.deepcopy(stats))
    assert stats.count == 12
    assert stats.std().device.type == "meta"  # meta tensors have no numbers to ask for


def test_statistics_keep_no_graph():
    stats = fed(torch.randn(6, 3, requires_grad=True).split(4), dim=0)
    assert not stats.var().requires_grad


def test_it_says_what_it_has_seen():
    assert (
        repr(fed([torch.zeros(1000, 3)], dim=0)) == "RunningStats(dim=0, count=1,000)"
    )


def test_nothing_has_no_statistics():
    for ask in (lambda s: s.mean, lambda s: s.var(), lambda s: s.std()):
        with pytest.raises(OptionError) as caught:
            ask(RunningStats())
        assert str(caught.value) == (
            "Statistics need at least one number.\n"
            "  got: RunningStats(dim=None, count=0)\n"
            "  fix: Call update(x) first."
        )


def test_batches_of_other_features_are_refused_and_change_nothing():
    stats = fed([torch.ones(5, 3)], dim=0)
    with pytest.raises(ShapeError) as caught:
        stats.update(torch.ones(5, 1))
    assert str(caught.value) == (
        "Every batch must leave results of shape (3,).\n"
        "  got: tensor (1,) float64 on cpu\n"
        "  fix: Use one object for each kind of data, or reset()."
    )
    assert stats.count == 5


def test_statistics_of_other_dimensions_do_not_merge():
    with pytest.raises(OptionError) as caught:
        RunningStats(dim=0).merge(RunningStats())
    assert str(caught.value) == (
        "Both must summarise the same dimensions.\n"
        "  got: dim=0 and dim=None\n"
        "  fix: Use one dim."
    )


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("cpu", torch.float64), ("cuda:1", torch.float64), ("mps", torch.float32)],
)
def test_sums_are_kept_in_the_widest_dtype_of_the_device(device, dtype):
    assert widest_float(torch.device(device)) is dtype
