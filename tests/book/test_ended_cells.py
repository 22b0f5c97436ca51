"""Cells that are ended from outside: named as what they are, and the rest is built."""

import re
import signal
import time

import pytest
from fixture_book import STRICT, FixtureBook

ENDS = {
    "time-out": r"01-slow\.md:13: the cell was stopped: it ran longer than 2 s$",
    "death": r"02-dead\.md:8: the cell lost its kernel: killed, out of memory, or it",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return FixtureBook("ended", tmp_path_factory.mktemp("ended"))


@pytest.fixture(scope="module")
def build(book):
    return book.build(*STRICT)


@pytest.mark.parametrize("end", ENDS)
def test_it_is_told_in_one_line(build, end):
    assert build.returncode == 1
    _, report = build.output.split("The book is not in order", 1)
    assert re.search(rf"^  \S*{ENDS[end]}", report, re.M), build.output


def test_the_other_chapters_are_built(book, build):
    assert "03-after" in build.executed
    assert "A chapter after both" in book.page("03-after")
    assert "Traceback" not in build.output


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_ends_the_build_and_names_the_cell(tmp_path, number, name):
    book = FixtureBook("ended", tmp_path / "book")
    page = book.sources / "01-slow.md"
    book.edit(page, "execution_timeout: 2", "execution_timeout: 100")
    started = tmp_path / "started"
    book.edit(page, "time.sleep", f"open({str(started)!r}, 'w').close()\ntime.sleep")
    process = book.start(*STRICT)
    while not started.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == 128 + number, output
    assert re.search(rf"01-slow\.md:13: stopped by {name} in this cell$", output, re.M)
    assert "Traceback" not in output
    assert "02-dead" not in output
