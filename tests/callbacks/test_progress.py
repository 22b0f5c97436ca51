import csv
import io
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from minifast.callbacks import lr_finder, progress
from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.progress import (
    CSVLogger,
    Notebook,
    Plain,
    ProgressCallback,
    Terminal,
    cells,
    epoch_table,
    make_screen,
)
from minifast.errors import UnknownNameError
from minifast.learner import Callback, CancelEpoch, CancelFit
from minifast.metrics import accuracy

ROW = {"epoch": 0, "valid_loss": 0.5}


def loss():
    return "loss 0.2500"


class FakeDisplay(ModuleType):
    """Stands for IPython: keeps what is shown, as text."""

    def __init__(self, kernel):
        super().__init__("IPython")
        self.shell = SimpleNamespace(kernel=object()) if kernel else SimpleNamespace()
        self.display = SimpleNamespace(display=self.show)
        self.get_ipython = lambda: self.shell
        self.shown = []

    def show(self, thing, display_id):
        assert display_id is True
        self.shown.append(repr(thing))
        return SimpleNamespace(update=lambda t: self.shown.append(repr(t)))


def test_plain_writes_a_line_for_each_row(capsys):
    screen = Plain()
    screen.begin_pass("epoch 3 train", 10)
    screen.batch(loss)
    screen.end_pass()
    screen.row(ROW)
    screen.row(ROW | {"epoch": 1})
    screen.end("")
    screen.end("stopped: enough")
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "epoch  valid_loss",
        "0          0.5000",
        "1          0.5000",
        "stopped: enough",
    ]
    assert err == ""


def test_terminal_shows_a_bar_and_takes_it_away(capsys):
    screen = Terminal()
    screen.begin_pass("epoch 3 train", 10)
    for _ in range(10):
        screen.batch(loss)
    bar = screen._bar
    assert bar.n == bar.total == 10
    assert "epoch 3 train" in str(bar)
    screen.end_pass()
    screen.end_pass()  # also when there is none
    screen.row(ROW)
    out, err = capsys.readouterr()
    assert "valid_loss" in out
    assert err.split("\r")[-1].strip() == ""  # the last thing written erases the bar


def test_a_new_pass_takes_the_bar_of_one_that_was_left_away(capsys):
    screen = Terminal()
    screen.begin_pass("epoch 3 train", 10)
    first = screen._bar
    screen.begin_pass("epoch 3 valid", 0)
    assert first.disable
    assert screen._bar.total is None
    screen.end_pass()
    capsys.readouterr()


def test_notebook_keeps_one_table_and_leaves_no_note(monkeypatch):
    ipython = FakeDisplay(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now_s[0])
    screen = Notebook()
    screen.begin_pass("epoch 3 train", 10)
    screen.batch(loss)  # too early to say anything
    now_s[0] = 0.6
    screen.batch(loss)
    screen.batch(loss)  # too early again
    screen.end_pass()
    screen.row(ROW)
    screen.end("")
    table = "epoch  valid_loss\n0          0.5000"
    assert ipython.shown == ["epoch 3 train: batch 2 of 10, loss 0.2500", table]
    screen.end("stopped: enough")
    assert ipython.shown[-1] == f"{table}\nstopped: enough"


def test_notebook_takes_the_note_of_an_interrupted_pass_away(monkeypatch):
    ipython = FakeDisplay(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    screen = Notebook()
    screen._shown_s -= 1
    screen.begin_pass("predict", 0)
    screen.batch(str)  # there is no loss
    screen.end("")
    assert ipython.shown == ["predict: batch 1", ""]


@pytest.mark.parametrize(
    ("kernel", "terminal", "kind"),
    [
        (None, False, Plain),
        (None, True, Terminal),
        (False, True, Terminal),
        (False, False, Plain),
        (True, False, Notebook),
        (True, True, Notebook),
    ],
)
def test_the_screen_suits_the_place(monkeypatch, kernel, terminal, kind):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    if kernel is None:
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "IPython", FakeDisplay(kernel))
    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    assert type(make_screen()) is kind


def test_the_screen_can_be_chosen():
    assert type(make_screen("plain")) is Plain
    assert type(make_screen("terminal")) is Terminal
    with pytest.raises(UnknownNameError, match="one of: auto, notebook, plain, termin"):
        make_screen("paper")


NOTEBOOK = """
import torch
from torch import nn
from minifast.callbacks.__init__ import default_cbs
from minifast.data import DataLoaders
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


class Shown:
    """A screen that keeps what it is told, and asks for each second loss."""

    def __init__(self):
        self.said = []

    def begin_pass(self, label, total):
        self.said.append(f"{label} of {total}")

    def batch(self, loss):
        asks = len(self.said) % 2 == 0
        self.said.append(loss() if asks else "batch")

    def end_pass(self):
        self.said.append("end of pass")

    def row(self, row):
        self.said.append("row")

    def end(self, note):
        self.said.append(f"end {note}")


@pytest.fixture
def screen(monkeypatch):
    shown = Shown()
    monkeypatch.setattr(progress, "make_screen", lambda name: shown)
    monkeypatch.setattr(lr_finder, "make_screen", lambda name: shown)
    return shown


def test_a_fit_tells_how_far_it_is_and_the_loss_when_it_is_asked_for(
    make_learner, screen
):
    learn = make_learner(ProgressCallback())
    losses = []

    class Note(Callback):
        def after_batch(self, learn):
            losses.append(learn.loss.item())

    learn.fit(1, cbs=[Note()])
    mean = f"loss {sum(losses[:2]) / 2:.4f}"
    assert screen.said == [
        *("epoch 0 train of 3", "batch", mean, "batch", "end of pass"),
        *("epoch 0 valid of 2", f"loss {losses[3]:.4f}", "batch", "end of pass"),
        *("row", "end "),
    ]


def test_the_loss_is_the_mean_of_the_last_ones(make_learner, monkeypatch):
    monkeypatch.setattr(progress, "N_LOSSES", 2)
    callback = ProgressCallback("plain")
    for number in (9.0, 1.0, 2.0):
        callback.after_batch(SimpleNamespace(loss=torch.tensor(number)))
    assert callback._loss() == "loss 1.5000"


def test_a_bar_asks_for_the_loss_when_it_has_been_drawn_and_not_before(
    capsys, monkeypatch
):
    asked = []
    screen = Terminal()
    screen.begin_pass("epoch 0 train", 3)
    for drawn in (False, True, False):
        monkeypatch.setattr(screen._bar, "update", lambda drawn=drawn: drawn)
        screen.batch(lambda: asked.append(drawn) or "loss 0.5")  # noqa: B023
    assert asked == [True]
    assert "loss 0.5" in str(screen._bar)
    screen.end_pass()
    capsys.readouterr()


def test_passes_outside_of_a_fit_are_shown_too(make_learner, screen):
    learn = make_learner(ProgressCallback())
    learn.get_preds()
    assert screen.said == ["predict of 2", "batch", "", "end of pass", "end "]
    screen.said.clear()
    learn.validate(learn.dls.train)
    assert screen.said[0] == "validate of 3"
    assert screen.said[2].startswith("loss ")
    screen.said.clear()
    learn.predict(learn.dls.train[0][0])  # a single batch is there at once
    assert screen.said == []


def test_a_pass_that_fails_outside_of_a_fit_leaves_nothing(make_learner, screen):
    progress = ProgressCallback()
    learn = make_learner(progress, Leave(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        learn.validate()
    assert screen.said[-2:] == ["end of pass", "end "]
    assert progress._screen is None


def test_lr_find_is_shown_if_a_fit_would_be(make_learner, screen):
    lr_finder.lr_find(make_learner(), 1e-5, 1e-4, n_steps=4)
    assert screen.said == []
    lr_finder.lr_find(make_learner(ProgressCallback()), 1e-5, 1e-4, n_steps=4)
    first, *batches, end_of_pass, end = screen.said
    assert first == "lr_find of 4"
    assert len(batches) == 4
    assert batches[1].startswith("loss ")
    assert (end_of_pass, end) == ("end of pass", "end ")


ROWS = [
    {"epoch": 0, "valid_loss": 0.53219, "time_s": 1.26},
    {"epoch": 1, "valid_loss": 0.25, "accuracy": 0.9, "time_s": 61.0},
]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epoch", 12, "12"),
        ("loss", 0.12345678, "0.1235"),
        ("loss", 1.2345e-7, "1.23e-07"),
        ("loss", 12345678.9, "1.23e+07"),
        ("loss", 0.0, "0.0000"),
        ("loss", -2.5, "-2.5000"),
        ("loss", float("nan"), "nan"),
        ("loss", float("inf"), "inf"),
        ("time_s", 1.26, "1.3"),
        ("time_s", 12345.6, "12345.6"),
    ],
)
def test_figures_are_written_to_be_read(name, value, text):
    assert cells({name: value}, [name]) == [text]


def test_a_table_has_all_names_that_came_up_and_a_note_below():
    assert repr(epoch_table([])) == ""
    assert repr(epoch_table(ROWS, "stopped: enough")).splitlines() == [
        "epoch  valid_loss    time_s  accuracy",
        "0          0.5322       1.3         -",
        "1          0.2500      61.0    0.9000",
        "stopped: enough",
    ]


def test_lines_of_a_file_are_those_of_the_table(capsys):
    screen, rows = Plain(), [{"epoch": 0, "valid_loss": 0.5, "time_s": 1.26}] * 2
    for row in rows:
        screen.row(row)
    assert capsys.readouterr().out == f"{epoch_table(rows)}\n"


def test_on_a_page_figures_are_written_like_in_a_terminal():
    page = epoch_table([{"loss": 1.0}], "<loss>")._repr_html_()
    assert "<td>1.0000</td>" in page
    assert page.endswith("<p>&lt;loss&gt;</p></div>")


class Figures(Callback):
    def after_epoch(self, learn):
        learn.row["valid_loss"] = 0.5 / (1 + len(learn.history))
        if learn.epoch:
            learn.row["accuracy"] = 0.75


def test_the_file_holds_all_rows_with_missing_figures_empty(make_learner, tmp_path):
    path = tmp_path / "logs" / "a.csv"
    learn = make_learner(Figures(), CSVLogger(path))
    learn.fit(2)
    learn.fit(1)
    assert path.read_text() == (
        "epoch,valid_loss,accuracy\n0,0.25,\n1,0.16666666666666666,0.75\n0,0.125,\n"
    )
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert float(rows[1]["valid_loss"]) == learn.history[1]["valid_loss"]


def test_each_epoch_is_on_disk_at_once(make_learner, tmp_path):
    path, lines = tmp_path / "a.csv", []

    class Look(Callback):
        order = 61

        def after_epoch(self, learn):
            lines.append(len(path.read_text().splitlines()))

    make_learner(Look(), CSVLogger(path)).fit(2)
    assert lines == [2, 3]


def test_the_table_is_replaced_as_a_whole(make_learner, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    learn = make_learner(CSVLogger(path))
    learn.fit(2)
    whole = path.read_bytes()
    seen, fsync = [], os.fsync

    def watched(number):
        seen.append(path.read_bytes())  # what a kill would leave
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    learn.fit(1)
    assert seen == [whole]
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_the_table_of_a_resumed_fit_is_one_table(make_learner, tmp_path):
    def cbs(**metrics):
        keep = Checkpoint(tmp_path / "c", resume=True)
        return MetricsCallback(**metrics), CSVLogger(tmp_path / "a.csv"), keep

    make_learner(*cbs()).fit(2)
    make_learner(*cbs(absolute=nn.functional.l1_loss)).fit(4)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [bool(row["absolute"]) for row in rows] == [False, False, True, True]
    assert None not in rows[-1]
