"""A book with many faults: the build fails, names each of them, and does so again."""

import re

import pytest
from fixture_book import STRICT, FixtureBook

FAULTS = {
    "failed cell": r"failing\.md:12: the cell failed: ValueError: no such thing",
    "false claim": r"false-claim\.md:8: this claim is false in this run: "
    r"Two is more than three\.",
    "stderr": r"faults\.md:8: wrote to stderr: UserWarning: second",
    "nothing raised": r"faults\.md:20: nothing was raised, though the cell's tag",
    "image of a cell": r"faults\.md:15: the image \w+\.svg has no alternative text",
    "image in prose": r"index\.md:5: the image dot\.svg has no alternative text",
    "no stamp": r"faults\.md: has no provenance; end it with a cell that calls stamp",
    "name used twice": r"faults\.md: 2 records or claims are called 'twice'",
    "overweight": r"faults\.md: the page weighs 1\.6 MB with its images; the budget is",
    "not executed": r"unexecuted\.md: has code cells that were not executed",
}
WARNINGS = {
    "reference to nowhere": r"index\.md:3: WARNING: undefined label: 'fig-nowhere'",
    "value never recorded": r"failing\.md:\d+: WARNING: No key 'missing' found",
    "glue twice": r"faults\.md:\d+: WARNING: glue key 'twice' duplicate",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return FixtureBook("broken", tmp_path_factory.mktemp("broken"))


@pytest.fixture(scope="module")
def first(book):
    return book.build(*STRICT)


@pytest.fixture(scope="module")
def repeated(book, first):
    """A second build, in which warnings would not fail it: the gate does, alone."""
    return book.build()


@pytest.mark.parametrize("when", ["first", "repeated"])
def test_the_build_fails(request, when):
    assert request.getfixturevalue(when).returncode == 1


@pytest.mark.parametrize("when", ["first", "repeated"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_in_one_line(request, when, fault):
    output = request.getfixturevalue(when).output
    _, report = output.split("The book is not in order", 1)
    assert re.search(rf"^  \S*{FAULTS[fault]}", report, re.M), report


@pytest.mark.parametrize("when", ["first", "repeated"])
def test_no_other_fault_is_told(request, when):
    output = request.getfixturevalue(when).output
    [told] = re.findall(r"The book is not in order, (\d+) problems:", output)
    assert int(told) == len(FAULTS), output


@pytest.mark.parametrize("warning", WARNINGS)
def test_sphinx_warns_of_what_it_notices(first, warning):
    assert re.search(WARNINGS[warning], first.output), first.output


def test_a_page_that_failed_is_executed_again(repeated):
    assert set(repeated.executed) == {"failing", "false-claim"}
    assert repeated.kept == ["faults"]
