import pytest
import torch
from torch import nn

from minifast.errors import DataError, ShapeError
from minifast.learner import saving

STATE = {"model": {}, "opt": {}, "scaler": {}}


def test_what_is_written_can_be_read(tmp_path):
    state = STATE | {"n": 3, "weights": torch.arange(3.0), "row": [{"loss": 0.5}]}
    saving.write(state, tmp_path / "new" / "a.pt")
    again = saving.read(tmp_path / "new" / "a.pt")
    assert torch.equal(again.pop("weights"), torch.arange(3.0))
    assert again == STATE | {"n": 3, "row": [{"loss": 0.5}]}


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    saving.write(STATE | {"n": 1}, path)

    def half(state, part):
        part.write_bytes(b"half a fi")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        saving.write(STATE | {"n": 2}, path)
    assert saving.read(path)["n"] == 1


def test_no_file_and_another_file_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"got: no file .*a\.pt"):
        saving.read(tmp_path / "a.pt")
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "b.pt")
    with pytest.raises(DataError, match="holds something else\n  fix: If these"):
        saving.read(tmp_path / "b.pt")


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return eval, ("1/0",)

    torch.save(STATE | {"evil": Evil()}, tmp_path / "a.pt")
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        saving.read(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("saved", "difference"),
    [
        ({"weight": torch.zeros(1, 2)}, "bias: nothing in what was saved, \\(1,\\) in"),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(1)},
            "weight: \\(3, 2\\) in what was saved, \\(1, 2\\) in the model",
        ),
        (
            {"weight": torch.zeros(1, 2), "bias": torch.zeros(1), "b2": torch.zeros(1)},
            "b2: \\(1,\\) in what was saved, nothing in the model",
        ),
    ],
)
def test_weights_of_another_model_are_refused(saved, difference):
    with pytest.raises(ShapeError, match=difference):
        saving.check_weights(nn.Linear(2, 1), saved)


def test_weights_of_the_model_pass():
    model = nn.BatchNorm1d(2)
    assert saving.check_weights(model, model.state_dict()) is None
