import pytest

from minifast.callback import Callback, CancelEpoch, CancelFit
from minifast.callbacks import MetricsCallback, ProgressCallback
from minifast.metrics import accuracy

NOTEBOOK = """
import torch
from torch import nn
from minifast.callbacks import default_cbs
from minifast.data.loaders import DataLoaders
from minifast.learner import Learner
from minifast.metrics import accuracy

x, y = torch.randn(64, 3), torch.arange(64) % 2
dls = DataLoaders.from_tensors((x, y), (x, y), batch_size=8)
loss = nn.functional.cross_entropy
learn = Learner(nn.Linear(3, 2), dls, loss, lr=0.1, cbs=default_cbs(accuracy))
learn.fit(3)
"""


def test_a_fit_shows_a_row_for_each_epoch(make_learner, capsys):
    learn = make_learner(ProgressCallback(), MetricsCallback())
    learn.fit(2)
    learn.validate()
    learn.predict(learn.dls.train[0][0])
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert head.split() == ["epoch", "train_loss", "valid_loss", "time_s"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert f"{learn.history[1]['valid_loss']:.4f}" in rows[1]
    assert err == ""


def test_without_figures_the_epochs_are_shown(make_learner, capsys):
    make_learner(ProgressCallback()).fit(2)
    assert capsys.readouterr().out.split() == ["epoch", "0", "1"]


class Leave(Callback):
    def __init__(self, signal):
        self.signal = signal

    def after_batch(self, learn):
        raise self.signal


@pytest.mark.parametrize("screen", ["plain", "terminal"])
def test_why_a_fit_ended_early_stands_below(make_learner, capsys, screen):
    make_learner(ProgressCallback(screen), Leave(CancelFit("enough seen"))).fit(2)
    assert capsys.readouterr().out == "stopped: enough seen\n"


def test_passes_that_are_left_early_leave_no_bar(make_learner, capsys):
    progress = ProgressCallback("terminal")
    learn = make_learner(progress, Leave(CancelEpoch()))
    learn.fit(2)
    out, err = capsys.readouterr()
    assert out.split() == ["epoch", "0", "1"]
    assert err.split("\r")[-1].strip() == ""
    assert progress._screen is None


def test_an_error_leaves_no_bar(make_learner, capsys):
    learn = make_learner(ProgressCallback("terminal"), Leave(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert capsys.readouterr().err.split("\r")[-1].strip() == ""


def test_in_a_notebook_there_is_one_table_and_nothing_else():
    nbclient = pytest.importorskip("nbclient", reason="needs a notebook client")
    nbformat = pytest.importorskip("nbformat", reason="needs a notebook format")
    cell = nbformat.v4.new_code_cell(NOTEBOOK)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    page, text = output.data["text/html"], output.data["text/plain"]
    assert page.count("<table") == 1
    assert page.count("<tr>") == 4
    assert page.endswith("</table></div>")  # no note
    assert text.split()[:5] == [
        "epoch",
        "train_loss",
        "valid_loss",
        accuracy.__name__,
        "time_s",
    ]
