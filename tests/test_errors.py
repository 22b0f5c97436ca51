import pickle

import numpy as np
import pytest
import torch

from minifast import errors
from minifast.errors import (
    MinifastError,
    OptionError,
    UnknownNameError,
    describe,
    did_you_mean,
    named,
    whole_number,
)

KINDS = [
    (errors.ShapeError, ValueError),
    (errors.DTypeError, TypeError),
    (errors.DeviceError, ValueError),
    (errors.OptionError, ValueError),
    (errors.UnknownNameError, LookupError),
    (errors.MissingAttributeError, AttributeError),
    (errors.MissingPackageError, ImportError),
    (errors.GradientError, ArithmeticError),
    (errors.ClaimError, AssertionError),
    (errors.DataError, OSError),
]


def test_a_message_answers_three_questions_in_three_lines():
    error = MinifastError("A batch must not be empty.", "0 rows", "Drop it.")
    assert str(error) == "A batch must not be empty.\n  got: 0 rows\n  fix: Drop it."


def test_lines_that_have_nothing_to_say_are_left_out():
    assert str(MinifastError("Be kind.")) == "Be kind."
    assert str(MinifastError("Be kind.", fix="Smile.")) == "Be kind.\n  fix: Smile."


@pytest.mark.parametrize(("kind", "builtin"), KINDS)
def test_every_kind_is_also_the_built_in_error_one_expects(kind, builtin):
    with pytest.raises(builtin):
        raise kind("It must hold.", "something else", "Change it.")
    assert issubclass(kind, MinifastError)


def test_no_kind_is_missing_from_these_tests():
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, MinifastError)
    }
    assert kinds == {kind for kind, _ in KINDS} | {MinifastError}


@pytest.mark.parametrize(("kind", "_"), KINDS)
def test_errors_keep_their_kind_and_parts_across_processes(kind, _):
    error = kind("It must hold.", "something else", "Change it.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.must, copy.got, copy.fix) == (error.must, error.got, error.fix)
    assert str(copy) == str(error)


def test_an_unknown_name_is_told_the_closest_one():
    error = UnknownNameError.of("data set", "imagnet", ["mnist", "imagenette"])
    assert str(error) == (
        "The data set must be one of: imagenette, mnist.\n"
        "  got: 'imagnet'\n"
        "  fix: Did you mean 'imagenette'?"
    )


def test_an_unknown_name_like_no_other_is_told_how_many_there_are():
    error = UnknownNameError.of("data set", "zebra", ["mnist", "imagenette"])
    assert str(error).endswith("  got: 'zebra'\n  fix: Choose one of those 2.")


def test_where_nothing_close_is_known_the_caller_may_say_what_helps():
    error = UnknownNameError.of("figure", "f1", ["epoch"], fix="Add MetricsCallback.")
    assert error.fix == "Add MetricsCallback."
    error = UnknownNameError.of("figure", "epochs", ["epoch"], fix="Add a callback.")
    assert error.fix == "Did you mean 'epoch'?"


@pytest.mark.parametrize(
    ("known", "must", "fix"),
    [
        ([], "There must be at least one callback to choose from.", "Add one of that"),
        (["A"], "The callback must be one of: A.", "Choose that one."),
    ],
)
def test_a_message_reads_well_with_few_names(known, must, fix):
    error = UnknownNameError.of("callback", "Recorder", known)
    assert error.must == must
    assert error.fix.startswith(fix)


def test_a_variable_of_the_environment_has_no_article():
    error = UnknownNameError.of("MINIFAST_SCALE", "huge", ["small", "full"])
    assert error.must == "MINIFAST_SCALE must be one of: full, small."


def test_an_unknown_name_is_a_value_that_is_not_allowed():
    assert issubclass(UnknownNameError, OptionError)


@pytest.mark.parametrize("name", [None, 3, ("mnist",)])
def test_what_is_no_name_at_all_is_shown_as_it_is(name):
    error = UnknownNameError.of("data set", name, ["mnist", "none"])
    assert error.got == repr(name)


def test_capitals_do_not_hide_a_name():
    known = ["CSVLogger", "EarlyStopping"]
    assert did_you_mean("csvlogger", known) == "Did you mean 'CSVLogger'?"
    assert did_you_mean("EARLYSTOPING", known) == "Did you mean 'EarlyStopping'?"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MNIST", "Did you mean 'mnist'?"),
        ("minst", "Did you mean 'mnist'?"),
        ("", ""),
        ("zebra", ""),
    ],
)
def test_did_you_mean(name, hint):
    assert did_you_mean(name, ["mnist", "imagenette"]) == hint


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(2, 3), "tensor (2, 3) float32 on cpu"),
        (torch.zeros(0, dtype=torch.int64), "tensor (0,) int64 on cpu"),
        (torch.zeros(2, device="meta"), "tensor (2,) float32 on meta"),
        ([1, 2], "list of length 2"),
        ((), "tuple of length 0"),
        ("four", "str of length 4"),
        (None, "NoneType None"),
        (1.5, "float 1.5"),
        (np.zeros(2), "ndarray (2,) float64 on cpu"),
        (torch.nn.Sequential(torch.nn.ReLU()), "Sequential object"),  # has many lines
        (object(), "object object"),  # with an address
    ],
)
def test_describe(value, words):
    assert describe(value) == words


def test_values_are_named_in_the_order_in_which_they_are_passed():
    assert named(pred=torch.zeros(2), target=None, weights=[1.0]) == (
        "pred: tensor (2,) float32 on cpu; target: NoneType None; "
        "weights: list of length 1"
    )
    assert named() == ""


@pytest.mark.parametrize(
    "value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)], ids=repr
)
def test_whole_numbers_of_every_library_become_ints(value):
    number = whole_number("size", value, 3)
    assert number == 3
    assert type(number) is int


BOOLS = [True, np.True_, np.array(True), torch.tensor(True)]


@pytest.mark.parametrize(
    "value",
    [*BOOLS, 3.0, np.float64(3), "3", None, [3], np.array([3]), torch.tensor(3.0)],
    ids=repr,
)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(OptionError) as caught:
        whole_number("size", value, 1)
    assert str(caught.value) == (
        "size must be a whole number of at least 1.\n"
        f"  got: size={value!r}\n"
        "  fix: Pass an int of 1 or more."
    )


def test_a_whole_number_that_is_too_small_is_refused_with_a_cure_of_its_own():
    with pytest.raises(OptionError) as caught:
        whole_number("size", np.int8(-1), 0, "Pass 0 for none.")
    assert str(caught.value) == (
        "size must be a whole number of at least 0.\n"
        "  got: size=np.int8(-1)\n"
        "  fix: Pass 0 for none."
    )


def test_a_whole_number_may_have_no_bound():
    assert whole_number("index", np.int8(-7)) == -7
    with pytest.raises(OptionError) as caught:
        whole_number("index", list(range(100)))
    assert str(caught.value) == (
        "index must be a whole number.\n"
        "  got: index=list of length 100\n"
        "  fix: Pass an int."
    )
