import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler as TorchBatchSampler
from torch.utils.data import RandomSampler, SequentialSampler

from minifast.data.samplers import BatchSampler, Sampler, count_batches, permutation
from minifast.errors import DTypeError, OptionError, describe

SIZES = [(n, size) for n in (1, 2, 5, 12, 13) for size in (1, 2, 5, 12, 64)]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_in_order_by_default():
    assert list(Sampler(6)) == list(SequentialSampler(range(6)))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_a_shuffled_order_holds_every_number_once(n):
    order = list(Sampler(n, shuffle=True))
    assert Counter(order) == Counter(range(n))
    assert all(type(index) is int for index in order)


def test_every_order_is_equally_likely():
    """Chi-squared over the 6 orders of 3: 5 degrees of freedom, 20.5 is p = 0.001."""
    sampler, n_draws = Sampler(3, shuffle=True, generator=seeded(0)), 6000
    counts = Counter(tuple(sampler) for _ in range(n_draws))
    expected = n_draws / 6
    assert len(counts) == 6
    assert sum((seen - expected) ** 2 / expected for seen in counts.values()) < 20.5


def test_the_order_is_torchs_for_the_same_seed():
    theirs = RandomSampler(range(20), generator=seeded(3))
    assert list(Sampler(20, shuffle=True, generator=seeded(3))) == list(theirs)


def test_each_pass_draws_anew_and_a_seed_repeats_them_all():
    passes = [
        [list(sampler) for _ in range(3)]
        for sampler in (Sampler(50, True, seeded(1)), Sampler(50, True, seeded(1)))
    ]
    assert passes[0] == passes[1]
    assert passes[0][0] != passes[0][1] != passes[0][2]


def test_a_saved_generator_state_continues_the_orders():
    sampler = Sampler(50, shuffle=True, generator=seeded(1))
    list(sampler)
    state = sampler.generator.get_state()
    expected = [list(sampler), list(sampler)]
    resumed = Sampler(50, shuffle=True, generator=torch.Generator())
    resumed.generator.set_state(state)
    assert [list(resumed), list(resumed)] == expected


def test_without_a_generator_manual_seed_decides():
    torch.manual_seed(5)
    first = list(Sampler(50, shuffle=True))
    torch.manual_seed(5)
    assert list(Sampler(50, shuffle=True)) == first


def test_a_sampler_of_its_own_generator_leaves_the_default_one_alone():
    state = torch.get_rng_state()
    list(Sampler(50, shuffle=True, generator=seeded(1)))
    assert torch.equal(torch.get_rng_state(), state)


def test_in_order_draws_nothing():
    generator = seeded(1)
    state = generator.get_state()
    assert list(Sampler(5, generator=generator)) == [0, 1, 2, 3, 4]
    assert torch.equal(generator.get_state(), state)


@pytest.mark.gpu
def test_a_permutation_is_drawn_where_the_generator_is():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    generator = torch.Generator("cuda").manual_seed(0)
    order = permutation(100, generator)
    assert order.is_cuda
    assert sorted(order.tolist()) == list(range(100))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "size"), SIZES)
def test_batches_are_torchs(n, size, drop_last):
    theirs = TorchBatchSampler(range(n), size, drop_last)
    if len(theirs) == 0:
        with pytest.raises(OptionError):
            BatchSampler(Sampler(n), size, drop_last)
        return
    ours = BatchSampler(Sampler(n), size, drop_last)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs) == len(list(ours))


def test_any_sized_iterable_of_numbers_can_be_cut():
    assert list(BatchSampler([4, 2, 0], 2)) == [[4, 2], [0]]


@pytest.mark.parametrize("size", [0, -1, np.int8(0), 2.0, True, "64", None], ids=repr)
def test_the_batch_size_must_be_a_number_from_1(size):
    with pytest.raises(OptionError) as caught:
        BatchSampler(Sampler(5), size)
    assert str(caught.value) == (
        "batch_size must be a whole number of at least 1.\n"
        f"  got: batch_size={size!r}\n"
        "  fix: Pass a number such as 64."
    )


def test_no_samples_are_refused_at_once():
    with pytest.raises(OptionError) as caught:
        Sampler(0)
    assert str(caught.value) == (
        "A pass over the data must give at least one batch.\n"
        "  got: 0 samples, batch_size=1, drop_last=False\n"
        "  fix: Check the split that left nothing."
    )


def test_dropping_the_only_batch_is_refused_at_once():
    with pytest.raises(OptionError) as caught:
        count_batches(5, 8, drop_last=True)
    assert str(caught.value) == (
        "A pass over the data must give at least one batch.\n"
        "  got: 5 samples, batch_size=8, drop_last=True\n"
        "  fix: Take a smaller batch size, or keep the last batch."
    )


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_sizes_may_be_numpys_whole_numbers(kind):
    sampler = Sampler(kind(200))
    batches = BatchSampler(sampler, kind(150))
    assert list(map(len, batches)) == [150, 50]  # 2 * 150 is too much for a uint8
    assert type(sampler.n_samples) is type(batches.batch_size) is int


@pytest.mark.parametrize("n", [-1, 2.0, True, "5", None], ids=repr)
def test_the_number_of_samples_must_be_a_whole_number(n):
    with pytest.raises(OptionError) as caught:
        Sampler(n)
    assert str(caught.value).splitlines()[:2] == [
        "n_samples must be a whole number of at least 0.",
        f"  got: n_samples={n!r}",
    ]


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([4, 2, 0]),
        np.array([4, 2, 0], dtype=np.uint8),
        torch.tensor([4, 2, 0]),
        [np.int32(4), 2, torch.tensor(0)],
    ],
    ids=repr,
)
def test_numbers_of_other_libraries_become_ints(numbers):
    batches = list(BatchSampler(numbers, 2))
    assert batches == [[4, 2], [0]]
    assert all(type(index) is int for batch in batches for index in batch)


@pytest.mark.parametrize("index", [True, 1.0, "a", None], ids=repr)
def test_what_is_no_number_of_a_sample_is_refused_when_a_pass_begins(index):
    batches = BatchSampler([0, 1, index], 1)
    with pytest.raises(OptionError) as caught:
        iter(batches)
    assert str(caught.value) == (
        f"index must be a whole number.\n  got: index={index!r}\n  fix: Pass an int."
    )


@pytest.mark.parametrize("sampler", [iter([1, 2]), 5, (n for n in [1])], ids=type)
def test_a_sampler_must_have_a_length(sampler):
    with pytest.raises(DTypeError) as caught:
        BatchSampler(sampler, 2)
    assert str(caught.value) == (
        "A sampler must have a length, and give its numbers on each pass.\n"
        f"  got: {describe(sampler)}\n"
        "  fix: Put the numbers in a list."
    )


def test_a_sampler_that_goes_on_for_ever_gives_as_many_as_its_length_says():
    class Endless:
        def __len__(self):
            return 5

        def __iter__(self):
            return itertools.cycle([0, 1, 2])

    assert list(BatchSampler(Endless(), 2)) == [[0, 1], [2, 0], [1]]


def test_the_order_of_a_pass_does_not_depend_on_what_is_drawn_meanwhile():
    class Careless:
        """Draws each number when it is asked for, from the default generator."""

        def __len__(self):
            return 8

        def __iter__(self):
            for _ in range(8):
                yield int(torch.randint(100, ()))

    orders = []
    for n_draws in (0, 3):
        torch.manual_seed(0)
        order = []
        for batch in BatchSampler(Careless(), 2):
            torch.rand(n_draws)
            order += batch
        orders.append(order)
    assert orders[0] == orders[1]
