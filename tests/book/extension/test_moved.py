import json

import pytest
from minifast_book import moved


def results(value, *claims):
    records = {"ratio": {"value": value, "text": str(value)}}
    return {"01-a": {"records": records, "claims": list(claims)}}


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (results(2.0, "It holds."), results(2.0, "It holds."), []),
        (results(2.0), results(3.0), ["01-a", "  ratio: 2.0 -> 3.0  (+50.0%)"]),
        (results(0), results(3), ["01-a", "  ratio: 0 -> 3"]),
        (results("a"), results("b"), ["01-a", "  ratio: a -> b"]),
        ({}, results(3.0), ["01-a", "  ratio: none -> 3.0"]),
        (
            results(2.0, "It was."),
            results(2.0, "It is."),
            ["01-a", "  no longer claimed: It was.", "  claimed now: It is."],
        ),
    ],
)
def test_what_moved_is_told_page_by_page(before, after, lines):
    assert moved.compare(before, after) == lines


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "html"
    folder.mkdir()
    return folder


def build(site, value):
    moved.keep_previous(site)
    (site / moved.RESULTS).write_text(json.dumps(results(value)))
    moved.settle_previous(site)


def test_builds_are_compared(site, capsys):
    build(site, 2.0)
    assert moved.main(site) == 1
    assert "no two builds" in capsys.readouterr().out
    build(site, 3.0)
    assert moved.main(site) == 0
    assert "2.0 -> 3.0" in capsys.readouterr().out


def test_a_build_that_moves_nothing_does_not_hide_the_last_that_did(site, capsys):
    for value in (2.0, 3.0, 3.0):
        build(site, value)
    moved.main(site)
    assert "2.0 -> 3.0" in capsys.readouterr().out
    assert {each.name for each in site.parent.iterdir()} == {"html", moved.PREVIOUS}
