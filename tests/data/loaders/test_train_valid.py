from dataclasses import FrozenInstanceError

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader as TorchDataLoader

from minifast.data.loaders.data_loader import DataLoader
from minifast.data.loaders.dataset import Dataset
from minifast.data.loaders.train_valid import DataLoaders
from minifast.errors import OptionError


def make_tensors(n):
    return torch.randn(n, 3), torch.arange(n)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def dls():
    return DataLoaders.from_tensors(
        make_tensors(25), make_tensors(15), batch_size=4, generator=seeded(0)
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
        make_tensors(25), make_tensors(15), batch_size=4, drop_last=True
    )
    assert {len(labels) for _, labels in dls.train} == {4}
    assert labels_of(dls.valid) == list(range(15))


def test_both_parts_are_moved_to_the_device():
    dls = DataLoaders.from_tensors(make_tensors(5), make_tensors(5), device="meta")
    assert next(iter(dls.train))[0].is_meta
    assert next(iter(dls.valid))[0].is_meta


def test_the_generator_is_the_one_passed_in():
    generator = seeded(0)
    parts = make_tensors(5), make_tensors(5)
    assert DataLoaders.from_tensors(*parts, generator=generator).train.generator is (
        generator
    )


def make_loaders():
    x, y = make_tensors(25)
    return {
        "tensors, own generator": DataLoaders.from_tensors(
            (x, y), (x, y), batch_size=4, generator=seeded(0)
        ),
        "tensors, default generator": DataLoaders.from_tensors((x, y), (x, y)),
        "samples": DataLoaders(
            DataLoader(Dataset(x, y), 4, shuffle=True, generator=seeded(0))
        ),
        "torch": DataLoaders(TorchDataLoader(Dataset(x, y), 4, shuffle=True)),
    }


@pytest.mark.parametrize("kind", make_loaders())
def test_looking_at_a_batch_changes_nothing(kind):
    train = make_loaders()[kind]
    batch, again = train.one_batch(), train.one_batch()
    assert_close(again, batch, rtol=0, atol=0)
    assert_close(next(iter(train.train)), batch, rtol=0, atol=0)


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
        DataLoaders.from_tensors(make_tensors(5), make_tensors(0))
