import json
import sys
import types

import numpy as np
import pytest
import torch

from minifast.book import Timing, claim, record
from minifast.errors import ClaimError, DTypeError


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would receive: pairs of data and metadata."""
    outputs = []

    def display(data, *, raw, metadata):
        assert raw
        outputs.append((data, metadata))

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    fake = types.ModuleType("IPython.display")
    fake.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    return outputs


@pytest.mark.parametrize(
    ("value", "kept", "text"),
    [
        (41234.5, 41234.5, "41,200"),
        (3, 3, "3"),
        ("blue", "blue", "blue"),
        (True, True, "True"),
        (Timing(0.002, 0.001, 0.003, 7, 1), 0.002, "2 ms"),
        (float("nan"), "nan", "nan"),
        (float("-inf"), "-inf", "-inf"),
        (np.float32(0.5), 0.5, "0.5"),
        (torch.tensor([7]), 7, "7"),
        (torch.tensor(torch.inf), "inf", "inf"),
    ],
)
def test_a_record_knows_how_the_prose_writes_it(shown, value, kept, text):
    record("x", value)
    facts = shown[0][1]["minifast"]
    assert (facts["value"], facts["text"]) == (kept, text)


def test_a_record_of_nan_is_json(shown):
    record("loss", float("nan"), "not a number")
    json.dumps(shown, allow_nan=False)
    assert shown[0][1]["minifast"]["text"] == "not a number"


@pytest.mark.parametrize("value", [None, [1.0], torch.zeros(2), 1j, object()])
def test_what_is_no_value_is_not_recorded(shown, value):
    with pytest.raises(DTypeError, match="A recorded value must be a number") as caught:
        record("x", value)
    assert "fix: Record one number" in str(caught.value)
    assert shown == []


def test_a_record_leaves_a_hidden_output_with_its_name(shown):
    record("speed", 2.5, text="two and a half")
    [(data, metadata)] = shown
    assert data == {"application/papermill.record/text/plain": "'two and a half'"}
    assert metadata["scrapbook"]["name"] == "speed"
    assert metadata["minifast"] == {
        "kind": "record",
        "name": "speed",
        "text": "two and a half",
        "value": 2.5,
    }


@pytest.mark.parametrize("shell", [None, object()])
def test_outside_a_notebook_nothing_is_displayed(monkeypatch, shell):
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", None)  # an import would fail
    record("x", 1)
    assert sys.modules["IPython.display"] is None


def test_a_true_claim_is_shown_and_left_for_the_build(shown):
    result = claim("Two is more than one & less than three.", 1 < 2 < 3)
    assert repr(result) == "✓ Two is more than one & less than three."
    assert "more than one &amp; less" in result._repr_html_()
    assert shown[0][1]["minifast"]["kind"] == "claim"
    assert shown[0][1]["minifast"]["holds"] is True


def test_a_false_claim_raises_and_leaves_nothing(shown):
    with pytest.raises(ClaimError, match=r"This claim must hold: One is two\.\n  got:"):
        claim("One is two.", False)
    assert shown == []


@pytest.mark.parametrize("unless", [False, np.False_, (False, torch.zeros(1) > 0)])
def test_a_claim_that_its_counterexamples_fail_holds(shown, unless):
    claim("Two is more than one.", 2 > 1, unless=unless)
    facts = shown[0][1]["minifast"]
    assert facts["against"] == (len(unless) if isinstance(unless, tuple) else 1)


@pytest.mark.parametrize("unless", [True, (False, True)])
def test_a_claim_that_a_counterexample_passes_proves_nothing(shown, unless):
    with pytest.raises(ClaimError) as caught:
        claim("The loss fell.", True, unless=unless)
    assert "must be false of its counterexample: The loss fell." in str(caught.value)
    n = len(unless) if isinstance(unless, tuple) else 1
    assert f"got: counterexample {n} of {n} passes the same test" in str(caught.value)
    assert shown == []


def test_a_counterexample_is_a_bool_too():
    with pytest.raises(DTypeError, match="must be True or False: The loss fell"):
        claim("The loss fell.", True, unless=0.0)


@pytest.mark.parametrize(
    "holds",
    [
        True,
        np.float64(1) > 0,
        np.array([3]) > 2,
        torch.zeros(()) == 0,
        torch.zeros(1, 1) == 0,
    ],
    ids=["Python", "NumPy", "array", "tensor", "tensor of rank 2"],
)
def test_a_claim_takes_one_bool_of_any_library(holds):
    assert claim("Zero is zero.", holds).sentence == "Zero is zero."
    with pytest.raises(ClaimError):
        claim("Zero is one.", holds ^ True)


NO_CONDITIONS = [
    float("nan"),
    (False, "a message"),
    lambda: False,
    (x for x in [False]),
    "False",
    [False],
    0.5,
    1,
    None,
    np.float64("nan"),
    np.array([True, True]),
    torch.tensor(float("nan")),
    torch.tensor(1),
    torch.ones(2, dtype=torch.bool),
    torch.ones(0, dtype=torch.bool),
]


# Not by their own texts: those of functions differ from one worker to the next.
@pytest.mark.parametrize("holds", NO_CONDITIONS, ids=lambda value: type(value).__name__)
def test_what_is_no_bool_is_no_condition(shown, holds):
    with pytest.raises(DTypeError) as caught:
        claim("It fell.", holds)
    must, got, fix = str(caught.value).splitlines()
    assert must == "The condition of a claim must be True or False: It fell."
    assert got.startswith("  got: ")
    assert fix.startswith("  fix: Pass a comparison")
    assert shown == []
