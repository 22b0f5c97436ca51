import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from minifast.data.loaders.tensor_loader import TensorLoader
from minifast.errors import DeviceError, DTypeError, OptionError, ShapeError

SIZES = [(n, size) for n in (1, 5, 12, 13) for size in (1, 5, 12, 64)]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def make_tensors(n):
    return torch.randn(n, 2, 3), torch.arange(n)


class CountCalls(TorchDispatchMode):
    """Counts the operators that torch runs, by name."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "size"), SIZES)
def test_batches_are_torchs(n, size, drop_last):
    tensors = make_tensors(n)
    theirs = DataLoader(TensorDataset(*tensors), size, drop_last=drop_last)
    if len(theirs) == 0:
        with pytest.raises(OptionError, match="at least one batch"):
            TensorLoader(*tensors, batch_size=size, drop_last=drop_last)
        return
    ours = TensorLoader(*tensors, batch_size=size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    for ours_batch, theirs_batch in zip(ours, theirs, strict=True):
        assert_close(ours_batch, tuple(theirs_batch), rtol=0, atol=0)


@pytest.mark.parametrize("drop_last", [False, True])
def test_shuffled_batches_are_torchs_for_the_same_permutation(drop_last):
    tensors, order = make_tensors(23), torch.randperm(23, generator=seeded(4)).tolist()
    ours = TensorLoader(
        *tensors, batch_size=5, shuffle=True, drop_last=drop_last, generator=seeded(4)
    )
    batches = BatchSampler(order, 5, drop_last)
    theirs = DataLoader(TensorDataset(*tensors), batch_sampler=batches)
    for ours_batch, theirs_batch in zip(ours, theirs, strict=True):
        assert_close(ours_batch, tuple(theirs_batch), rtol=0, atol=0)


@pytest.mark.parametrize(("n", "size"), SIZES)
def test_a_shuffled_pass_holds_every_row_once_and_keeps_pairs_together(n, size):
    x, y = make_tensors(n)
    loader = TensorLoader(x, y, batch_size=size, shuffle=True)
    batches = list(loader)
    labels = torch.cat([labels for _, labels in batches])
    assert labels.sort().values.tolist() == list(range(n))
    assert torch.equal(torch.cat([rows for rows, _ in batches]), x[labels])


def test_each_pass_draws_anew_and_a_seed_repeats_them_all():
    def passes(seed):
        rows = torch.arange(50)
        loader = TensorLoader(rows, shuffle=True, generator=seeded(seed))
        return [torch.cat([batch for (batch,) in loader]).tolist() for _ in range(2)]

    assert passes(1) == passes(1) != passes(2)
    assert passes(1)[0] != passes(1)[1]


def test_a_saved_generator_state_continues_the_run():
    rows = torch.arange(50)
    loader = TensorLoader(rows, shuffle=True, generator=seeded(1))
    list(loader)
    state = loader.generator.get_state()
    expected = list(loader)
    resumed = TensorLoader(rows, shuffle=True, generator=torch.Generator())
    resumed.generator.set_state(state)
    assert_close(list(resumed), expected)


def test_without_a_generator_manual_seed_decides():
    loader = TensorLoader(torch.arange(50), shuffle=True)
    torch.manual_seed(5)
    first = list(loader)
    torch.manual_seed(5)
    assert_close(list(loader), first)


def test_two_passes_at_once_do_not_disturb_each_other():
    loader = TensorLoader(torch.arange(9), batch_size=2, shuffle=True)
    pairs = list(zip(loader, loader, strict=True))
    for side in zip(*pairs, strict=True):
        rows = torch.cat([batch for (batch,) in side])
        assert sorted(rows.tolist()) == list(range(9))


def test_in_order_a_batch_is_a_view_and_shuffled_a_copy():
    x = torch.zeros(4, 2)
    for (batch,) in TensorLoader(x, batch_size=2, shuffle=True):
        batch.fill_(1)
    assert x.sum() == 0
    for (batch,) in TensorLoader(x, batch_size=2):
        batch.fill_(1)
    assert x.sum() == 8


def test_a_shuffled_batch_is_one_gather_a_tensor():
    loader = TensorLoader(*make_tensors(12), batch_size=4, shuffle=True)
    with CountCalls() as count:
        n_batches = len(list(loader))
    assert count.calls.count("index_select") == 2 * n_batches
    assert count.calls.count("randperm") == 1
    assert set(count.calls) <= {"index_select", "randperm", "slice", "detach"}


def test_in_order_a_batch_is_one_slice_a_tensor():
    loader = TensorLoader(*make_tensors(12), batch_size=4)
    with CountCalls() as count:
        n_batches = len(list(loader))
    assert count.calls == ["slice"] * 2 * n_batches


def test_one_tensor_gives_tuples_of_one():
    (batch,) = TensorLoader(torch.arange(3))
    assert isinstance(batch, tuple)
    assert batch[0].tolist() == [0, 1, 2]


def test_the_tensors_are_moved_once():
    loader = TensorLoader(torch.zeros(4, 2), torch.zeros(4), device="meta")
    assert loader.device == torch.device("meta")
    x, y = next(iter(loader))
    assert x.is_meta
    assert y.is_meta


def test_tensors_stay_where_they_are_without_a_device():
    x = torch.zeros(4, 2)
    assert TensorLoader(x).tensors[0] is x


@pytest.mark.gpu
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_on_a_gpu_are_those_on_the_cpu_and_nothing_waits(shuffle):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    tensors = make_tensors(103)
    here, there = (
        TensorLoader(
            *tensors, batch_size=10, shuffle=shuffle, generator=seeded(3), device=device
        )
        for device in ("cpu", "cuda")
    )
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for expected, batch in zip(here, batches, strict=True):
        assert all(tensor.is_cuda for tensor in batch)
        assert_close(tuple(tensor.cpu() for tensor in batch), expected, rtol=0, atol=0)


def test_it_says_what_it_is():
    loader = TensorLoader(torch.zeros(1200, 2), shuffle=True)
    assert (
        repr(loader) == "TensorLoader(1,200 samples, batches of 64, shuffled, on cpu)"
    )


@pytest.mark.parametrize("size", [0, -3, 1.5])
def test_the_batch_size_must_be_a_number_from_1(size):
    with pytest.raises(OptionError, match=r"whole number of at least 1"):
        TensorLoader(torch.zeros(4), batch_size=size)


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match=r"got: \(4,\), \(5, 2\)"):
        TensorLoader(torch.zeros(4), torch.zeros(5, 2))


def test_empty_tensors_are_refused():
    with pytest.raises(OptionError, match="got: 0 samples"):
        TensorLoader(torch.zeros(0, 3), torch.zeros(0))


def test_no_tensors_are_refused():
    with pytest.raises(ShapeError, match="got: no tensor"):
        TensorLoader()


def test_what_is_not_a_tensor_is_refused():
    with pytest.raises(DTypeError, match="got: list of length 2"):
        TensorLoader([1, 2])


def test_tensors_on_several_devices_are_refused():
    with pytest.raises(DeviceError) as caught:
        TensorLoader(torch.zeros(4), torch.zeros(4, device="meta"))
    assert str(caught.value) == (
        "The tensors must be on one device.\n"
        "  got: cpu and meta\n"
        "  fix: Say where to keep them: device='cpu' or device='cuda'."
    )
