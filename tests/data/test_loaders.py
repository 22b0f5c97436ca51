import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset, WeightedRandomSampler

from minifast.data.loaders.data_loader import DataLoader
from minifast.data.loaders.dataset import Dataset
from minifast.data.loaders.samplers import Sampler
from minifast.data.loaders.tensor_loader import TensorLoader
from minifast.errors import DTypeError, OptionError

# Python warns from 3.12 on when a process with threads starts another; torch's loader
# does that, and its threads are torch's own.
may_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@pytest.fixture
def tensors():
    return torch.randn(23, 2, 3), torch.arange(23)


@pytest.fixture
def dataset(tensors):
    return Dataset(*tensors)


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


@pytest.mark.parametrize("stream", [iter([1, 2]), Stream()], ids=["iterator", "torch"])
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
        "The number of workers must be 0 or more.\n"
        "  got: num_workers=-1\n"
        "  fix: Pass 0 to read in this process."
    )
