import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

from minifast.callbacks import screens
from minifast.callbacks.screens import Notebook, Plain, Terminal, make_screen
from minifast.errors import OptionError

ROW = {"epoch": 0, "valid_loss": 0.5}
LEARN = SimpleNamespace(training=True, epoch=3, iter=4, n_iter=10)


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
    screen.begin_pass(LEARN)
    screen.batch(LEARN)
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
    screen.begin_pass(LEARN)
    for _ in range(10):
        screen.batch(LEARN)
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
    screen.begin_pass(LEARN)
    first = screen._bar
    screen.begin_pass(SimpleNamespace(training=False, epoch=3, n_iter=0))
    assert first.disable
    assert screen._bar.total is None
    screen.end_pass()
    capsys.readouterr()


def test_notebook_keeps_one_table_and_leaves_no_note(monkeypatch):
    ipython = FakeDisplay(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    now_s = [0.0]
    monkeypatch.setattr(screens.time, "perf_counter", lambda: now_s[0])
    screen = Notebook()
    screen.begin_pass(LEARN)
    screen.batch(LEARN)  # too early to say anything
    now_s[0] = 0.6
    screen.batch(LEARN)
    screen.batch(LEARN)  # too early again
    screen.end_pass()
    screen.row(ROW)
    screen.end("")
    table = "epoch  valid_loss\n0          0.5000"
    assert ipython.shown == ["epoch 3: training batch 5 of 10", table]
    screen.end("stopped: enough")
    assert ipython.shown[-1] == f"{table}\nstopped: enough"


def test_notebook_takes_the_note_of_an_interrupted_pass_away(monkeypatch):
    ipython = FakeDisplay(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    screen = Notebook()
    screen._shown_s -= 1
    screen.batch(SimpleNamespace(training=False, epoch=0, iter=0, n_iter=0))
    screen.end("")
    assert ipython.shown == ["epoch 0: validation batch 1", ""]


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
    with pytest.raises(OptionError, match="auto or one of: terminal, notebook, plain"):
        make_screen("paper")
