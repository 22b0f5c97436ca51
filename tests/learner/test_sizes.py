import pytest
import torch

from minifast.learner.sizes import n_batches, weight


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ((torch.zeros(4, 2), torch.zeros(4)), 4),
        ((torch.zeros(4, 7), torch.zeros(4, 7)), 28),
        (((torch.zeros(2), torch.zeros(2)), {"y": torch.zeros(3)}), 3),
        ((torch.zeros(4, 2),), 8),
        (([torch.zeros(5)], []), 5),
        ((), 0),
    ],
)
def test_a_batch_counts_by_its_targets(make_learner, batch, count):
    assert weight(batch) == count
    learn = make_learner()
    learn.batch = batch
    assert learn.weight == count


def test_what_can_not_say_its_length_gives_0():
    class Streams(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    assert n_batches([1, 2]) == 2
    assert n_batches(iter([1, 2])) == 0
    assert n_batches(torch.utils.data.DataLoader(Streams())) == 0
