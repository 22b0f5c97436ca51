"""Making a stand-in takes up to a minute, so a terminal shows how far it is."""

import io
import sys

import pytest

from minifast.datasets.standin import digits, docstrings, images, tones


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: digits.generate(folder, n_train=10, n_test=10),
        lambda folder: images.generate(folder, n_train=1, n_val=1),
        lambda folder: tones.generate(folder, n_recordings=1),
        lambda folder: docstrings.read_docstrings([folder / "a.py"], folder),
    ],
    ids=["mnist", "imagenette", "fsdd", "texts"],
)
@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_bar_on_a_terminal_and_silence_in_a_log(
    tmp_path, monkeypatch, make, stream, shown
):
    monkeypatch.setattr(sys, "stderr", stream())
    make(tmp_path)
    assert ("100%" in sys.stderr.getvalue()) is shown
