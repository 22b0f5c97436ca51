import copy
import math
import pickle

import pytest
import torch

from minifast.errors import DTypeError, ShapeError
from minifast.losses import cross_entropy
from minifast.metrics import Average, Mean, Metric, accuracy


def predictions(n, n_classes=5):
    return torch.randn(n, n_classes), torch.randint(n_classes, (n,))


def test_accuracy_is_the_fraction_of_right_answers():
    logits, target = predictions(1000)
    right = sum(row.argmax() == t for row, t in zip(logits, target, strict=True))
    assert accuracy(logits, target) == pytest.approx(right.item() / 1000)


def test_accuracy_counts_every_position_of_a_text_or_an_image():
    logits, target = torch.randn(4, 5, 3), torch.randint(5, (4, 3))
    flat = accuracy(logits.transpose(1, 2).reshape(12, 5), target.reshape(12))
    assert accuracy(logits, target) == flat


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_accuracy_takes_labels_of_any_integer_dtype(dtype):
    logits, target = predictions(50)
    assert accuracy(logits, target.to(dtype)) == accuracy(logits, target)


@pytest.mark.parametrize("target_shape", [(4, 1), (1,), (), (4, 5)])
def test_accuracy_refuses_to_compare_each_with_every(target_shape):
    with pytest.raises(ShapeError) as caught:
        accuracy(torch.zeros(4, 5), torch.zeros(target_shape).long())
    assert str(caught.value) == (
        "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...).\n"
        "  got: logits: tensor (4, 5) float32 on cpu; "
        f"target: tensor {target_shape} int64 on cpu\n"
        "  fix: Squeeze a last dimension of size 1: target.squeeze(-1)."
    )


def test_accuracy_refuses_targets_that_are_no_classes():
    with pytest.raises(DTypeError) as caught:
        accuracy(torch.zeros(4, 5), torch.zeros(4))
    assert str(caught.value) == (
        "Targets must be integer class indices.\n"
        "  got: logits: tensor (4, 5) float32 on cpu; "
        "target: tensor (4,) float32 on cpu\n"
        "  fix: Use target.long()."
    )


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 1000])
@pytest.mark.parametrize("func", [accuracy, cross_entropy])
def test_an_average_does_not_depend_on_how_the_data_is_cut(func, batch_size):
    logits, target = predictions(100)
    metric = Average(func)
    for x, y in zip(logits.split(batch_size), target.split(batch_size), strict=True):
        metric.update(x, y)
    assert metric.value() == pytest.approx(func(logits, target).item(), rel=1e-6)


def test_the_mean_of_the_batches_means_would_be_wrong():
    mean = Mean()
    mean.update(torch.tensor(0.0), 3)
    mean.update(torch.tensor(1.0), 1)
    assert mean.value() == 0.25
    assert mean.count == 4


def test_texts_of_unequal_length_count_by_their_tokens():
    metric = Average(accuracy)
    right = torch.tensor([0.0, 1.0]).reshape(1, 2, 1)
    metric.update(right.expand(2, 2, 9), torch.ones(2, 9).long())
    metric.update(right.expand(2, 2, 1), torch.zeros(2, 1).long())
    assert metric.value() == pytest.approx(0.9)


def test_many_small_numbers_are_not_lost_beside_a_large_sum():
    mean = Mean()
    mean.update(torch.tensor(1.0), 2**24)  # float32 has no 2^24 + 1
    for _ in range(100):
        mean.update(torch.tensor(1.0), 1)
    assert mean.value() == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_means_of_low_precision_are_added_in_high(dtype):
    mean = Mean()
    for value in (1, 2, 4):
        mean.update(torch.tensor(value, dtype=dtype), 1)
    assert mean.value() == 7 / 3


def test_nothing_has_no_mean_and_an_empty_batch_changes_nothing():
    metric = Average(accuracy)
    assert math.isnan(metric.value())
    metric.update(torch.zeros(0, 5), torch.zeros(0).long())
    assert math.isnan(metric.value())
    metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    metric.update(torch.zeros(0, 2), torch.zeros(0).long())
    assert metric.value() == 1.0


def test_reset_forgets():
    metric = Average(accuracy)
    metric.update(*predictions(10))
    metric.reset()
    assert math.isnan(metric.value())
    metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    assert metric.value() == 1.0


def test_what_is_kept_of_a_loss_is_not_its_graph():
    logits, target = predictions(10)
    mean = Mean()
    loss = cross_entropy(logits.requires_grad_(), target)
    mean.update(loss, 10)
    assert not mean._total.requires_grad
    loss.backward()

    metric = Average(cross_entropy)
    metric.update(logits, target)
    assert not metric._mean._total.requires_grad


def test_a_mean_refuses_more_than_one_number():
    with pytest.raises(ShapeError) as caught:
        Mean().update(torch.zeros(3), 3)
    assert str(caught.value) == (
        "A mean takes in one number at a time, of shape ().\n"
        "  got: tensor (3,) float32 on cpu\n"
        "  fix: Use value.mean()."
    )


def test_an_average_has_the_name_of_its_function_or_one_of_its_own():
    assert Average(accuracy).name == "accuracy"
    assert repr(Average(accuracy)) == "Average(accuracy)"
    assert Average(cross_entropy, name="loss").name == "loss"
    assert Average(torch.nn.CrossEntropyLoss()).name == "CrossEntropyLoss"


def test_an_average_is_a_metric_and_can_be_copied_half_way():
    metric: Metric = Average(accuracy)
    metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    for twin in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        twin.update(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
        assert twin.value() == 0.5
    assert metric.value() == 1.0


@pytest.fixture
def syncs(monkeypatch):
    """What asks for a number, and so would wait for a GPU."""
    calls = []
    for name in (
        *("item", "tolist", "cpu", "numpy", "nonzero"),
        *("__bool__", "__float__", "__int__", "__index__", "__format__", "__iter__"),
    ):
        plain = getattr(torch.Tensor, name)

        def counted(self, *args, name=name, plain=plain, **kwargs):
            calls.append(name)
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)
    return calls


def test_an_epoch_waits_for_the_device_once_for_each_number(syncs):
    logits, target = predictions(100)
    metric, mean = Average(accuracy), Mean()
    for x, y in zip(logits.split(16), target.split(16), strict=True):
        metric.update(x, y)
        mean.update(cross_entropy(x, y), len(y))
    assert syncs == []
    metric.value()
    mean.value()
    assert syncs == ["__float__", "__float__"]


def test_the_sums_stay_on_the_device_of_the_data():
    metric = Average(accuracy)
    metric.update(*(t.to("meta") for t in predictions(10)))
    assert metric._mean._total.device.type == "meta"
