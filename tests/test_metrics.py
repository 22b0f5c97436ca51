import copy
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch

from minifast.errors import DTypeError, OptionError, ShapeError, describe
from minifast.losses import cross_entropy
from minifast.metrics import Average, Mean, Metric, accuracy, n_kept


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


@pytest.mark.parametrize("ignored", [-100, -1, 0, 7])
@pytest.mark.parametrize("shape", [(50,), (10, 6)])
def test_ignored_targets_count_neither_as_right_nor_at_all(ignored, shape):
    logits = torch.randn(shape[0], 5, *shape[1:])
    target = torch.randint(5, shape)
    target[::3] = ignored
    kept = target != ignored
    right = (logits.argmax(1) == target)[kept]
    assert accuracy(logits, target, ignored) == right.float().mean()
    if ignored == -100:
        assert accuracy(logits, target) == right.float().mean()


@pytest.mark.parametrize("ignored", [-100, -1, 0, 2])
@pytest.mark.parametrize("targets", [[], [0], [2, 1], [-1, 2, 0], [-100, -1], [-100]])
def test_the_targets_that_are_kept_are_counted(targets, ignored):
    kept = n_kept(torch.tensor(targets, dtype=torch.int64), ignored)
    assert kept == len([target for target in targets if target != ignored])
    assert isinstance(kept, int)


@pytest.mark.parametrize("n_right", range(8))
def test_accuracy_is_rounded_as_torch_rounds(n_right):
    logits = torch.eye(2)[torch.arange(7).lt(n_right).long()]
    found = accuracy(logits, torch.ones(7, dtype=torch.int64))
    assert torch.equal(found, torch.tensor(n_right) / 7)


def test_accuracy_of_ignored_targets_only_is_nan():
    assert accuracy(torch.zeros(3, 2), torch.full((3,), -100)).isnan()


def test_accuracy_does_not_take_a_byte_for_the_ignored_index():
    target = torch.tensor([156, 1], dtype=torch.uint8)  # 156 is -100 modulo 256
    assert accuracy(torch.eye(2, 200), target) == 0.5


CURES = {
    ((4, 5), (4, 1)): "Squeeze a last dimension of size 1: target.squeeze(-1).",
    ((4, 5, 3), (4, 3, 1)): "Squeeze a last dimension of size 1: target.squeeze(-1).",
    ((4, 5), (4, 5)): "Turn a probability for each class into an index: "
    "target.argmax(1).",
    ((4, 3, 5), (4, 3)): "Move the classes to dimension 1: logits.movedim(-1, 1).",
    ((4, 5), (1,)): "Check that both come from the same batch.",
    ((4, 5), ()): "Check that both come from the same batch.",
    ((4, 5), (3,)): "Check that both come from the same batch.",
    ((4, 1), (4, 1)): "Measure ((logits > 0) == target).float().mean(), or use two "
    "logits.",
    ((4,), (4,)): "Measure ((logits > 0) == target).float().mean(), or use two logits.",
}


@pytest.mark.parametrize(("shapes", "cure"), CURES.items(), ids=str)
def test_accuracy_refuses_to_compare_each_with_every(shapes, cure):
    logits, target = torch.zeros(shapes[0]), torch.zeros(shapes[1]).long()
    with pytest.raises(ShapeError) as caught:
        accuracy(logits, target)
    assert str(caught.value) == (
        "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...).\n"
        f"  got: logits: tensor {shapes[0]} float32 on cpu; "
        f"target: tensor {shapes[1]} int64 on cpu\n"
        f"  fix: {cure}"
    )


@pytest.mark.parametrize(
    "shapes",
    [shapes for shapes, cure in CURES.items() if "batch" not in cure],
    ids=str,
)
def test_the_cures_for_the_shapes_of_accuracy_are_right(shapes):
    cure = CURES[shapes].removesuffix(", or use two logits.").removesuffix(".")
    logits, target = torch.randn(shapes[0]), torch.ones(shapes[1]).long()
    names = {"logits": logits, "target": target}
    name, _, call = cure.rpartition(": ")[2].partition(".")
    if cure.startswith("Measure"):
        measured = eval(cure.removeprefix("Measure "), names)
        two = torch.stack([torch.zeros(4), logits.reshape(4)], dim=1)
        assert measured == accuracy(two, target.reshape(4))
    else:
        names[name] = eval(f"{name}.{call}", names)
        assert 0 <= accuracy(names["logits"], names["target"]) <= 1


def test_accuracy_of_one_logit_is_refused_where_the_shapes_fit():
    with pytest.raises(ShapeError) as caught:
        accuracy(torch.zeros(4, 1), torch.zeros(4).long())
    assert str(caught.value) == (
        "There must be a logit for each class, so two at least.\n"
        "  got: logits: tensor (4, 1) float32 on cpu; "
        "target: tensor (4,) int64 on cpu\n"
        "  fix: Measure ((logits > 0) == target).float().mean(), or use two logits."
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


@pytest.mark.parametrize("on_cpu", [True, False])
def test_what_is_kept_of_a_loss_is_not_its_graph(on_cpu, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: on_cpu))
    logits, target = predictions(10)
    mean = Mean()
    loss = cross_entropy(logits.requires_grad_(), target)
    mean.update(loss, 10)
    mean.update(loss, torch.tensor(10))
    mean._add_waiting()
    assert not getattr(mean._total, "requires_grad", False)
    loss.backward()

    metric = Average(cross_entropy)
    metric.update(logits, target)
    assert not getattr(metric._mean._total, "requires_grad", False)


def test_a_mean_refuses_more_than_one_number():
    with pytest.raises(ShapeError) as caught:
        Mean().update(torch.zeros(3), 3)
    assert str(caught.value) == (
        "A mean takes in one number at a time, of shape ().\n"
        "  got: tensor (3,) float32 on cpu\n"
        "  fix: Use value.mean()."
    )


VALUES = {
    "tensor": torch.tensor,
    "float32 of NumPy": np.float32,
    "float64 of NumPy": np.float64,
    "float": float,
    "array": np.array,
    "parameter": lambda value: torch.nn.Parameter(torch.tensor(value)),
    "half": lambda value: torch.tensor(value, dtype=torch.float16),
}
COUNTS = {
    "int": int,
    "uint8 of NumPy": np.uint8,
    "tensor": torch.tensor,
    "int32 tensor": lambda count: torch.tensor(count, dtype=torch.int32),
}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("value", VALUES)
def test_values_and_counts_of_every_library_are_added_up(value, count):
    mean = Mean()
    for number, n in ((0.5, 200), (math.nan, 0), (1.0, 100), (2.0, 0)):
        mean.update(VALUES[value](number), COUNTS[count](n))
    assert mean.value() == pytest.approx(200 / 300, rel=1e-15)
    assert mean.count == 300
    assert type(mean.count) is int


def test_a_mean_takes_in_one_kind_after_the_other():
    kinds = [(value, count) for value in VALUES for count in COUNTS]
    mean = Mean()
    for n, (value, count) in enumerate(kinds, 1):
        mean.update(VALUES[value](float(n)), COUNTS[count](n))
    n = len(kinds)
    assert mean.count == n * (n + 1) // 2
    assert mean.value() == pytest.approx((2 * n + 1) / 3, rel=1e-15)


def test_a_count_that_changes_later_was_taken_in_as_it_was():
    mean, count = Mean(), torch.tensor(3)
    mean.update(1.0, count)
    count += 5
    assert mean.count == 3


@pytest.mark.parametrize("count", [-1, 1.5, True, None, np.int8(-1)], ids=repr)
@pytest.mark.parametrize("value", [0.5, torch.tensor(0.5)], ids=repr)
def test_a_count_must_be_a_whole_number(value, count):
    with pytest.raises(OptionError) as caught:
        Mean().update(value, count)
    assert str(caught.value) == (
        "count must be a whole number of at least 0.\n"
        f"  got: count={count!r}\n"
        "  fix: Pass an int of 0 or more."
    )


def test_a_count_on_the_device_must_be_one_number():
    with pytest.raises(ShapeError, match=r"got: tensor \(1,\) int64"):
        Mean().update(torch.tensor(0.5), torch.tensor([3]))


def test_a_count_may_be_a_sum_of_weights():
    mean = Mean()
    mean.update(torch.tensor(2.0), torch.tensor(0.5))
    mean.update(torch.tensor(4.0), torch.tensor(1.5))
    assert mean.value() == 3.5
    assert mean.count == 2.0


def test_an_empty_mean_says_so_without_waiting(syncs):
    mean = Mean()
    assert mean.is_empty
    mean.update(torch.tensor(2.0), 0)
    assert mean.is_empty
    mean.update(torch.tensor(2.0), torch.tensor(0))
    assert not mean.is_empty  # what was on the device, only the device knows
    assert syncs == []
    assert math.isnan(mean.value())


@pytest.mark.parametrize("n", [63, 64, 65, 200])
def test_many_counts_on_the_device_are_added_in_the_end(n):
    mean, values, counts = Mean(), torch.rand(n), torch.randint(0, 9, (n,))
    for value, count in zip(values, counts, strict=True):
        mean.update(value, count)
    want = (values.double() * counts).sum() / counts.sum()
    assert mean.value() == pytest.approx(want.item())
    assert mean.count == counts.sum()


@pytest.mark.parametrize("value", ["0.5", None, [0.5]], ids=repr)
def test_a_mean_refuses_what_is_no_number(value):
    with pytest.raises(DTypeError) as caught:
        Mean().update(value, 3)
    assert str(caught.value) == (
        "A mean takes in tensors of shape () and numbers.\n"
        f"  got: {describe(value)}\n"
        "  fix: Compute a mean with torch."
    )


def sharded(make, update, n_shards):
    """What each process of a distributed run has seen of the same batches."""
    shards = [make() for _ in range(n_shards)]
    for i in range(12):
        update(shards[i % n_shards], i)
    shards = [pickle.loads(pickle.dumps(shard)) for shard in shards]
    whole = make()
    for shard in shards:
        whole.merge(shard)
    return whole, shards


@pytest.mark.parametrize("n_shards", [1, 2, 5, 20])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("value", VALUES)
def test_shards_of_a_mean_add_up_exactly(value, count, n_shards):
    def update(mean, i):
        mean.update(VALUES[value](i / 4), COUNTS[count](i))

    whole, _ = sharded(Mean, update, n_shards)
    assert whole.count == sum(range(12))
    assert whole.value() == sum(i * i for i in range(12)) / 4 / sum(range(12))


def test_shards_of_an_average_add_up_exactly():
    logits, target = predictions(16 * 12)

    def update(metric, i):
        metric.update(logits[16 * i :][:16], target[16 * i :][:16])

    whole, _ = sharded(lambda: Average(accuracy), update, 5)
    assert whole.value() == (logits.argmax(1) == target).sum().item() / len(target)


@pytest.mark.parametrize("count", COUNTS)
def test_merging_leaves_the_other_one_free_to_go_on(count):
    one, two = Mean(), Mean()
    two.update(torch.tensor(1.0), COUNTS[count](4))
    one.merge(two)
    one.update(torch.tensor(3.0), 4)
    two.update(torch.tensor(7.0), 4)
    one.update(torch.tensor(3.0), COUNTS[count](8))
    assert (one.value(), one.count) == (2.5, 16)
    assert (two.value(), two.count) == (4.0, 8)


def test_an_empty_mean_merges_into_nothing():
    one = Mean()
    one.merge(Mean())
    assert math.isnan(one.value())


def off_by(pred, target, amount):
    return ((pred.argmax(1) - target).abs() == amount).float().mean()


@pytest.mark.parametrize(
    "func",
    [
        accuracy,
        torch.nn.CrossEntropyLoss(label_smoothing=0.1),
        partial(off_by, amount=1),
        partial(torch.nn.CrossEntropyLoss()),
        torch.dist,
    ],
    ids=["function", "module", "partial", "partial of a module", "built in"],
)
def test_averages_of_one_function_merge_also_from_another_process(func):
    one = Average(func)
    for two in (one, Average(func), pickle.loads(pickle.dumps(one))):
        one.merge(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (accuracy, cross_entropy),
        (partial(off_by, amount=1), partial(off_by, amount=2)),
        (partial(off_by, amount=1), off_by),
        (torch.nn.CrossEntropyLoss(), torch.nn.MSELoss()),
        (torch.nn.CrossEntropyLoss(), cross_entropy),
    ],
)
def test_averages_of_different_functions_do_not_merge(one, two):
    with pytest.raises(OptionError) as caught:
        Average(one).merge(Average(two))
    assert str(caught.value) == (
        "Both must average the same function.\n"
        f"  got: {one!r} and {two!r}\n"
        "  fix: Merge like with like."
    )


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, torch.tensor])
def test_a_function_may_return_any_kind_of_number(kind):
    metric = Average(lambda pred, target: kind(len(target)))
    metric.update(torch.zeros(3), torch.zeros(3))
    metric.update(torch.zeros(1), torch.zeros(1))
    assert metric.value() == 2.5


@pytest.mark.parametrize(
    "target",
    [
        (torch.zeros(3, 2), torch.zeros(5)),
        [torch.zeros(6)],
        {"boxes": torch.zeros(3, 2), "labels": torch.zeros(5)},
        {"names": ["a", "b"], "boxes": (torch.zeros(6),)},
    ],
    ids=lambda target: type(target).__name__,
)
def test_nested_targets_count_by_the_first_tensor_in_them_or_as_told(target):
    metric = Average(lambda pred, target: 0.5)
    metric.update(None, target)
    assert metric._mean.count == 6
    metric.update(None, target, 10)
    metric.update(None, target, count=torch.tensor(4))
    assert metric._mean.count == 20


@pytest.mark.parametrize("target", [["a", "b"], None, {}, np.zeros(3)], ids=repr)
def test_targets_without_a_tensor_need_a_count(target):
    metric = Average(lambda pred, target: 0.5)
    with pytest.raises(DTypeError) as caught:
        metric.update(None, target)
    assert str(caught.value) == (
        "There must be a tensor in the targets, or a count of them.\n"
        f"  got: {describe(target)}\n"
        "  fix: Write update(pred, target, count)."
    )
    metric.update(None, target, 2)
    assert metric.value() == 0.5


def test_a_loss_and_an_accuracy_that_ignore_targets_weigh_them_alike():
    logits, target = predictions(100)
    target[:40:2] = target[40:48] = -100  # of the third batch of 16, half
    target[64:80] = -100  # the fifth, all: both are nan
    funcs = accuracy, torch.nn.functional.cross_entropy
    for func in funcs:
        metric = Average(func)
        for x, y in zip(logits.split(16), target.split(16), strict=True):
            metric.update(x, y, (y != -100).sum())
        expected = func(logits, target).item()
        assert metric.value() == pytest.approx(expected, rel=1e-6)


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
    """What asks for a number, and so would wait if these tensors were on a GPU."""
    calls = []
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False))
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


def test_counts_on_the_device_do_not_wait_for_it(syncs):
    logits, target = predictions(100)
    target[:20] = -100
    metric, mean = Average(accuracy), Mean()
    for x, y in zip(logits.split(16), target.split(16), strict=True):
        metric.update(x, y, (y != -100).sum())
        mean.update(0.5, (y != -100).sum())
    twin = copy.deepcopy(metric)
    twin.merge(metric)
    assert syncs == []
    assert mean.count == 80
    assert syncs == ["item"]


def test_the_sums_stay_on_the_device_of_the_data():
    metric = Average(accuracy)
    metric.update(*(t.to("meta") for t in predictions(10)))
    assert metric._mean._total.device.type == "meta"
    metric.update(*(t.to("meta") for t in predictions(10)), torch.tensor(3).to("meta"))
    metric._mean._add_waiting()
    assert metric._mean._count.device.type == "meta"
    twin = copy.deepcopy(metric)
    twin.merge(metric)
    assert twin._mean._total.device.type == "meta"
