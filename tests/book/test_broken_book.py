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
    "no cells": r"bare\.md: has no provenance; end it with a cell that calls stamp",
    "name used twice": r"faults\.md: 2 records or claims are called 'twice'",
    "overweight": r"faults\.md: the page weighs 1\.6 MB with its images and downloads;",
    "heavy download": r"markup\.md: the page weighs 20\.0 MB with its images and downl",
    "image without size": r"index\.md:5: the image dot\.svg has no width and height",
    "another without size": r"markup\.md:\d+: the image dot\.svg has no width and",
    "no condition": r"no-truth\.md:8: the cell failed: DTypeError: The condition of a "
    r"claim must be True or False: The loss fell\. \(got: float nan\)",
    "errors allowed": r"silent\.md:8: the tag raises-exception switches a check off",
    "stderr allowed": r"silent\.md:14: the tag remove-stderr switches a check off",
    "cell left out": r"silent\.md:22: the tag skip-execution switches a check off",
    "warnings off": r"silent\.md:28: simplefilter\(\) silences what the page",
    "claim caught": r"silent\.md:37: claim\(\) stands where its error is caught: give",
    "data not named": r"silent\.md: takes a data set, but its stamp names none",
    "after the stamp": r"silent\.md:\d+: this cell comes after the stamp, which ends",
    "traceback printed": r"silent\.md:\d+: printed a traceback: ZeroDivisionError: div",
    "failure ignored": r"silent\.md:\d+: nobody asks whether !false succeeded: give a",
    "in no contents": r"lost\.md: is in no table of contents \(_toc\.yml\)",
    "foreign script": r"markup\.md:3: <script> loads from another host: https://exa",
    "foreign style": r"markup\.md:4: <link> loads from another host: https://example",
    "foreign frame": r"markup\.md:5: <iframe> loads from another host: //example",
    "foreign poster": r"markup\.md:6: <video> loads from another host: https://example",
    "foreign image in a style": r"markup\.md:7: <p> loads from another host: https://ex",
    "inline script": r"markup\.md:\d+: a script in the page: it belongs into _static",
    "address of a script": r"markup\.md:10: a script in the attribute href of <a>",
    "script of an event": r"markup\.md:\d+: a script in the attribute onclick of <p>",
    "dead link": r"markup\.md:13: a link leads nowhere: nowhere\.html",
    "dead anchor": r"markup\.md:14: a link leads nowhere: faults\.html#nowhere",
    "link from the root": r"markup\.md:15: a link begins at the root of the host: /fau",
    "id used twice": r"markup\.md:16: 2 elements of the page have the id 'twice'",
    "reference in a formula": r"markup\.md:\d+: a formula shows \?\?\? for "
    r"\\ref{eq-nowhere}; write",
    "stray solution": r"markup\.md: a solution is of no exercise: ex-nowhere",
    "two titles": r"markup\.md: 2 headings of the first level; a page has one title",
    "not executed": r"unexecuted\.md: has code cells that were not executed",
}
WARNINGS = {
    "reference to nowhere": r"index\.md:3: WARNING: undefined label: 'fig-nowhere'",
    "value never recorded": r"failing\.md:\d+: WARNING: No key 'missing' found",
    "short role of a class": r"markup\.md:\d+: WARNING: py:class reference target not "
    r"found: Learnr",
    "short role of a value": r"markup\.md:\d+: WARNING: py:data reference target not "
    r"found: NOPE",
    "glue twice": r"faults\.md:\d+: WARNING: glue key 'twice' duplicate",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    made = FixtureBook("broken", tmp_path_factory.mktemp("broken"))
    (made.sources / "large.bin").write_bytes(bytes(20_000_000))
    return made


@pytest.fixture(scope="module")
def first(book):
    return book.build(*STRICT, BOOK_PARTIAL="1")  # once a setting; it changes nothing


@pytest.fixture(scope="module")
def repeated(book, first):
    """A second build, in which warnings would not fail it: the gate does, alone."""
    return book.build(BOOK_PARTIAL="1")


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
    assert set(repeated.executed) == {"bare", "failing", "false-claim", "no-truth"}
    assert repeated.kept == ["faults", "silent"]
