import math

import pytest

from minifast.callbacks.monitor import best_row
from minifast.errors import OptionError, UnknownNameError


def rows(name, *values):
    return [{name: value} for value in values]


def test_losses_should_be_small_and_anything_else_large():
    assert best_row(rows("valid_loss", 3, 1, 2), "valid_loss") == 1
    assert best_row(rows("error_rate", 3, 1, 2), "error_rate") == 1
    assert best_row(rows("accuracy", 3, 1, 2), "accuracy") == 0
    assert best_row(rows("accuracy", 3, 1, 2), "accuracy", "min") == 1
    assert best_row(rows("valid_loss", 3, 1, 2), "valid_loss", "max") == 0


def test_the_first_of_equals_is_the_best():
    assert best_row(rows("loss", 2, 1, 1), "loss") == 1


def test_min_delta_is_what_a_new_best_must_gain():
    assert best_row(rows("loss", 1.0, 0.95, 0.85), "loss", min_delta=0.1) == 2
    assert best_row(rows("loss", 1.0, 0.95, 0.91), "loss", min_delta=0.1) == 0


def test_nan_and_missing_figures_are_never_best():
    assert best_row(rows("loss", math.nan, 2, math.nan), "loss") == 1
    assert best_row([{}, {"loss": 5}], "loss") == 1
    assert best_row(rows("loss", math.nan), "loss") == -1
    assert best_row([], "loss") == -1


def test_unknown_figures_and_modes_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'valid_loss'"):
        best_row([{"valid_loss": 1, "epoch": 0}], "val_loss")
    with pytest.raises(OptionError, match="auto, min or max"):
        best_row([], "loss", "least")
