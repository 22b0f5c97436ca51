import itertools
import random
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import (
    BatchSampler,
    IterableDataset,
    WeightedRandomSampler,
)
from torch.utils.data import DataLoader as TorchDataLoader

from minifast.data.datasets import TensorDataset
from minifast.data.loaders import DataLoader, DataLoaders, TensorLoader
from minifast.data.samplers import Sampler
from minifast.errors import DeviceError, DTypeError, OptionError, ShapeError

# Python warns from 3.12 on when a process with threads starts another; torch's loader
# does that, and its threads are torch's own.
may_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@pytest.fixture
def tensors():
    return torch.randn(23, 2, 3), torch.arange(23)


@pytest.fixture
def dataset(tensors):
    return TensorDataset(*tensors)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def assert_same_batches(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for our_batch, their_batch in zip(ours, theirs, strict=True):
        assert_close(tuple(our_batch), tuple(their_batch), rtol=0, atol=0)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_batches_in_order_are_torchs(dataset, batch_size, drop_last):
    ours = DataLoader(dataset, batch_size, drop_last=drop_last)
    theirs = TorchDataLoader(dataset, batch_size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    assert_same_batches(ours, theirs)


def test_shuffled_batches_are_torchs_for_the_same_permutation(dataset):
    ours = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    order = torch.randperm(23, generator=seeded(2)).tolist()
    assert_same_batches(ours, TorchDataLoader(dataset, 5, sampler=order))


def test_torchs_loader_takes_our_data_set_collate_and_sampler(dataset):
    theirs = TorchDataLoader(
        dataset,
        5,
        sampler=Sampler(23, shuffle=True, generator=seeded(2)),
        collate_fn=DataLoader(dataset).collate_fn,
    )
    ours = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    assert_same_batches(theirs, ours)


def test_the_order_is_that_of_the_tensor_loader(dataset, tensors):
    items = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    rows = TensorLoader(*tensors, batch_size=5, shuffle=True, generator=seeded(2))
    for _ in range(2):
        assert_same_batches(items, rows)


@pytest.mark.parametrize("shuffle", [False, True])
def test_each_pass_holds_every_sample_once(dataset, shuffle):
    loader = DataLoader(dataset, 4, shuffle=shuffle)
    labels = torch.cat([labels for _, labels in loader])
    assert sorted(labels.tolist()) == list(range(23))


def test_the_last_batch_holds_the_rest(dataset):
    assert [len(labels) for _, labels in DataLoader(dataset, 10)] == [10, 10, 3]


def test_a_saved_generator_state_continues_the_run(dataset):
    loader = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    list(loader)
    state = loader.generator.get_state()
    expected = list(loader)
    resumed = DataLoader(dataset, 5, shuffle=True, generator=torch.Generator())
    resumed.generator.set_state(state)
    assert_same_batches(resumed, expected)


@may_fork
def test_workers_give_the_same_batches_pass_after_pass(dataset):
    here = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    ahead = DataLoader(dataset, 5, shuffle=True, generator=seeded(2), num_workers=1)
    assert len(ahead) == len(here)
    for _ in range(2):
        assert_same_batches(ahead, here)
    assert torch.equal(ahead.generator.get_state(), here.generator.get_state())


def test_a_list_is_a_data_set():
    batches = list(DataLoader([("a", 1), ("b", 2), ("c", 3)], 2))
    assert [words for words, _ in batches] == [["a", "b"], ["c"]]
    assert [numbers.tolist() for _, numbers in batches] == [[1, 2], [3]]


def test_a_collate_function_of_your_own(dataset):
    lengths = DataLoader(dataset, 10, collate_fn=len)
    assert list(lengths) == [10, 10, 3]


def test_an_order_of_your_own(dataset):
    (_, labels) = next(iter(DataLoader(dataset, 3, sampler=[7, 7, 1])))
    assert labels.tolist() == [7, 7, 1]


def test_a_sampler_of_torch_brings_its_generator(dataset):
    generator = seeded(0)
    sampler = WeightedRandomSampler([0.0] * 22 + [1.0], 6, generator=generator)
    loader = DataLoader(dataset, 4, sampler=sampler)
    assert loader.generator is generator
    assert [labels.tolist() for _, labels in loader] == [[22] * 4, [22] * 2]


def test_an_error_of_the_data_set_comes_through():
    class Broken(list):
        def __getitem__(self, index):
            raise KeyError(f"no file {index}")

    with pytest.raises(KeyError, match="no file 0"):
        next(iter(DataLoader(Broken([1, 2]), 2)))


def test_it_says_what_it_is(dataset):
    expected = "DataLoader(23 samples, batches of 5, 0 workers)"
    assert repr(DataLoader(dataset, 5)) == expected


class Stream(IterableDataset):
    def __iter__(self):
        return iter([1, 2])


class SizedStream(Stream):
    def __len__(self):
        return 2


@pytest.mark.parametrize(
    "stream",
    [iter([1, 2]), Stream(), SizedStream()],
    ids=["iterator", "torch", "torch, sized"],
)
def test_a_stream_is_refused(stream):
    with pytest.raises(DTypeError) as caught:
        DataLoader(stream)
    lines = str(caught.value).splitlines()
    assert lines[0] == "A data set must have a length and samples numbered from 0."
    assert lines[2] == (
        "  fix: Put the samples in a list, or write __len__ and __getitem__."
    )


def test_an_empty_data_set_is_refused():
    with pytest.raises(OptionError, match="at least one batch"):
        DataLoader([])


def test_an_empty_order_is_refused(dataset):
    with pytest.raises(OptionError, match="got: 0 samples"):
        DataLoader(dataset, sampler=[])


@pytest.mark.parametrize("drawn", [{"shuffle": True}, {"generator": seeded(0)}])
def test_an_order_of_your_own_cannot_be_shuffled(dataset, drawn):
    with pytest.raises(OptionError) as caught:
        DataLoader(dataset, sampler=[1, 2], **drawn)
    lines = str(caught.value).splitlines()
    assert lines[0] == "The order must come from one place."
    assert lines[2] == "  fix: Leave out the sampler, or else shuffle and generator."


def test_workers_cannot_be_fewer_than_none(dataset):
    with pytest.raises(OptionError) as caught:
        DataLoader(dataset, num_workers=-1)
    assert str(caught.value) == (
        "num_workers must be a whole number of at least 0.\n"
        "  got: num_workers=-1\n"
        "  fix: Pass 0 to read in this process."
    )


SIZES = [(n, size) for n in (1, 5, 12, 13) for size in (1, 5, 12, 64)]


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
    theirs = TorchDataLoader(
        torch.utils.data.TensorDataset(*tensors), size, drop_last=drop_last
    )
    if len(theirs) == 0:
        with pytest.raises(OptionError, match="at least one batch"):
            TensorLoader(*tensors, batch_size=size, drop_last=drop_last)
        return
    ours = TensorLoader(*tensors, batch_size=size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    for ours_batch, theirs_batch in zip(ours, theirs, strict=True):
        assert_close(ours_batch, tuple(theirs_batch), rtol=0, atol=0)


@pytest.mark.parametrize("drop_last", [False, True])
def test_shuffled_batches_are_torchs_for_the_same_permutation_in_memory(drop_last):
    tensors, order = make_tensors(23), torch.randperm(23, generator=seeded(4)).tolist()
    ours = TensorLoader(
        *tensors, batch_size=5, shuffle=True, drop_last=drop_last, generator=seeded(4)
    )
    batches = BatchSampler(order, 5, drop_last)
    theirs = TorchDataLoader(
        torch.utils.data.TensorDataset(*tensors), batch_sampler=batches
    )
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


def test_a_saved_generator_state_continues_the_run_in_memory():
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


def test_it_says_what_it_is_in_memory():
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


def rows_of(n):
    return torch.randn(n, 3), torch.arange(n)


@pytest.fixture
def dls():
    return DataLoaders.from_tensors(
        rows_of(25),
        rows_of(15),
        batch_size=4,
        generator=seeded(0),
    )


def labels_of(loader):
    return torch.cat([labels for _, labels in loader]).tolist()


def test_training_is_shuffled_and_validation_in_order(dls):
    assert labels_of(dls.train) != list(range(25))
    assert sorted(labels_of(dls.train)) == list(range(25))
    assert labels_of(dls.valid) == list(range(15))


def test_validation_batches_are_twice_as_large_and_keep_the_rest(dls):
    assert {len(labels) for _, labels in dls.train} == {4, 1}
    assert [len(labels) for _, labels in dls.valid] == [8, 7]


def test_only_training_drops_a_last_batch_that_is_not_full():
    dls = DataLoaders.from_tensors(
        rows_of(25),
        rows_of(15),
        batch_size=4,
        drop_last=True,
    )
    assert {len(labels) for _, labels in dls.train} == {4}
    assert labels_of(dls.valid) == list(range(15))


def test_both_parts_are_moved_to_the_device():
    dls = DataLoaders.from_tensors(rows_of(5), rows_of(5), device="meta")
    assert next(iter(dls.train))[0].is_meta
    assert next(iter(dls.valid))[0].is_meta


def test_the_generator_is_the_one_passed_in():
    generator = seeded(0)
    parts = rows_of(5), rows_of(5)
    assert DataLoaders.from_tensors(*parts, generator=generator).train.generator is (
        generator
    )


def make_loaders():
    x, y = rows_of(25)
    return {
        "tensors, own generator": DataLoaders.from_tensors(
            (x, y), (x, y), batch_size=4, generator=seeded(0)
        ),
        "tensors, default generator": DataLoaders.from_tensors((x, y), (x, y)),
        "samples": DataLoaders(
            DataLoader(TensorDataset(x, y), 4, shuffle=True, generator=seeded(0))
        ),
        "torch": DataLoaders(TorchDataLoader(TensorDataset(x, y), 4, shuffle=True)),
    }


@pytest.mark.parametrize("kind", make_loaders())
def test_looking_at_a_batch_leaves_the_next_pass_as_it_was(kind):
    train = make_loaders()[kind]
    batch, again = train.one_batch(), train.one_batch()
    assert_close(again, batch, rtol=0, atol=0)
    assert_close(next(iter(train.train)), batch, rtol=0, atol=0)


class Noisy(torch.utils.data.Dataset):
    """Draws from every generator there is, also from some of its own."""

    def __init__(self):
        self.own = seeded(3), random.Random(3)
        self.numpys = [np.random.default_rng(3), np.random.RandomState(3)]

    def __len__(self):
        return 12

    def __getitem__(self, i):
        torchs = torch.rand(1), torch.rand(1, generator=self.own[0])
        pythons = random.random(), self.own[1].random()
        numpys = np.random.random(), *(rng.random() for rng in self.numpys)  # noqa: NPY002
        return i, *torchs, *pythons, *numpys


def noisy_loaders(n_workers):
    data, options = Noisy(), {"shuffle": True, "num_workers": n_workers}
    sampler = WeightedRandomSampler([1.0] * 12, 12, generator=seeded(2))
    loaders = {
        "ours, own generator": DataLoader(data, 4, generator=seeded(2), **options),
        "ours, default generator": DataLoader(data, 4, **options),
        "ours, own sampler": DataLoader(
            data, 4, sampler=sampler, num_workers=n_workers
        ),
        "torch, own generator": TorchDataLoader(
            data, 4, generator=seeded(2), **options
        ),
        "torch, default generator": TorchDataLoader(data, 4, **options),
        "torch, own sampler": TorchDataLoader(
            data, 4, sampler=sampler, num_workers=n_workers
        ),
    }
    if n_workers:
        loaders["torch, workers that stay"] = TorchDataLoader(
            data, 4, persistent_workers=True, **options
        )
    return loaders


NOISY = [(kind, n) for n in (0, 1) for kind in noisy_loaders(n)]


@may_fork
@pytest.mark.parametrize(("kind", "n_workers"), NOISY)
def test_looking_changes_no_random_number(kind, n_workers):
    runs = []
    for look in (False, True):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        loader = noisy_loaders(n_workers)[kind]
        batches = []
        for _ in range(2):
            batches += [DataLoaders(loader).one_batch()] if look else []
            batches += loader
        numbers = random.random(), np.random.random(), torch.rand(2)  # noqa: NPY002
        runs.append((batches, numbers))
    (plain, numbers), (looked, numbers_then) = runs
    assert_close(numbers_then, numbers, rtol=0, atol=0)
    assert_close(looked[1:4] + looked[5:], plain, rtol=0, atol=0)
    assert_close(looked[0], plain[0], rtol=0, atol=0)


@may_fork
def test_looking_starts_no_workers_that_stay():
    loader = noisy_loaders(1)["torch, workers that stay"]
    DataLoaders(loader).one_batch()
    assert loader._iterator is None


@may_fork
@pytest.mark.parametrize("own", [True, False], ids=["own generator", "default"])
def test_orders_and_random_numbers_do_not_depend_on_the_number_of_workers(own, dataset):
    runs = []
    for n_workers in (0, 1, 2):
        torch.manual_seed(4)
        loader = DataLoader(
            dataset,
            5,
            shuffle=True,
            generator=seeded(2) if own else None,
            num_workers=n_workers,
        )
        orders = [labels_of(loader) for _ in range(3)]
        runs.append((orders, torch.rand(2).tolist()))
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][0][0] != runs[0][0][1]


def test_the_first_order_is_that_of_the_tensor_loader_without_a_generator(
    dataset, tensors
):
    torch.manual_seed(4)
    order = labels_of(DataLoader(dataset, 5, shuffle=True))
    torch.manual_seed(4)
    assert labels_of(TensorLoader(*tensors, batch_size=5, shuffle=True)) == order


class Draws(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return int(np.random.randint(2**31))  # noqa: NPY002


@may_fork
def test_workers_draw_other_numbers_each_and_on_each_pass_and_a_seed_repeats_them():
    loader = DataLoader(Draws(), 2, num_workers=2)
    drawn = [torch.cat(list(loader)).tolist() for _ in range(2)]
    assert len(set(drawn[0] + drawn[1])) == 16
    passes = []
    for _ in range(2):
        torch.manual_seed(1)
        passes.append(torch.cat(list(loader)).tolist())
    assert passes[0] == passes[1]


@may_fork
@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_pass_may_be_left_early(dataset, n_workers):
    loader = DataLoader(
        dataset, 5, shuffle=True, generator=seeded(2), num_workers=n_workers
    )
    expected = DataLoader(dataset, 5, shuffle=True, generator=seeded(2))
    for n_batches in (1, 3, 5):
        ours = itertools.islice(loader, n_batches)
        assert_same_batches(ours, itertools.islice(expected, n_batches))
    assert_same_batches(loader, expected)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_sizes_may_be_numpys_whole_numbers(kind):
    x = torch.arange(10)
    assert len(DataLoader(x, kind(4), num_workers=kind(0))) == 3
    assert len(TensorLoader(x, batch_size=kind(4))) == 3
    dls = DataLoaders.from_tensors((torch.zeros(500),), (torch.zeros(500),), kind(200))
    assert [len(batch) for (batch,) in dls.valid] == [400, 100]
    assert repr(dls.train).startswith("TensorLoader(500 samples, batches of 200,")


@pytest.mark.parametrize("n_workers", [True, 1.0, None, "2"], ids=repr)
def test_workers_are_counted_in_whole_numbers(dataset, n_workers):
    with pytest.raises(OptionError, match="num_workers must be a whole number"):
        DataLoader(dataset, num_workers=n_workers)


@may_fork
@pytest.mark.parametrize("n_workers", [0, 1])
def test_an_order_may_be_an_array(dataset, n_workers):
    order = np.array([7, 22, 1], dtype=np.uint8)
    loader = DataLoader(dataset, 3, sampler=order, num_workers=n_workers)
    assert labels_of(loader) == [7, 22, 1]


def test_the_generator_is_put_back_when_a_batch_fails():
    class Broken(list):
        def __getitem__(self, index):
            raise KeyError("no file")

    generator = seeded(0)
    state = generator.get_state()
    loader = DataLoader(Broken([1, 2]), 2, shuffle=True, generator=generator)
    with pytest.raises(KeyError):
        DataLoaders(loader).one_batch()
    assert torch.equal(generator.get_state(), state)


def test_validation_can_be_left_out():
    assert DataLoaders([(torch.zeros(2), torch.zeros(2))]).valid is None


def test_it_cannot_be_changed(dls):
    with pytest.raises(FrozenInstanceError):
        dls.train = None


def test_it_says_what_it_holds(dls):
    assert repr(dls) == (
        "DataLoaders(train=TensorLoader(25 samples, batches of 4, shuffled, on cpu), "
        "valid=TensorLoader(15 samples, batches of 8, in order, on cpu))"
    )


def test_a_split_that_left_nothing_is_refused():
    with pytest.raises(OptionError, match="Check the split"):
        DataLoaders.from_tensors(rows_of(5), rows_of(0))
