import json

import nbformat
import pytest
from minifast_book import report
from minifast_book.harvest import Page


@pytest.fixture
def page(tmp_path):
    def page(*sentences, error=None):
        facts = [{"kind": "claim", "sentence": each} for each in sentences]
        outputs = [
            nbformat.v4.new_output("display_data", metadata={"minifast": each})
            for each in facts
        ]
        cell = nbformat.v4.new_code_cell("claims()", outputs=outputs)
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"source_map": [1]})
        source = tmp_path / "01-a.md"
        return Page("01-a", "A", source, source, notebook, error=error)

    return page


@pytest.fixture
def before(app, tmp_path):
    """Leave what the last build left."""
    (tmp_path / "_build" / "html").mkdir(parents=True)

    def before(content):
        (tmp_path / "_build" / "html" / "results.json").write_text(content)

    return before


def test_a_claim_that_is_gone_is_named(app, page, before):
    before(json.dumps({"01-a": {"claims": ["It fell.", "It is 1,230 times faster."]}}))
    [lost] = report.lost_claims(app, [page("It is 2.5e+3 times faster.")])
    assert lost.endswith("01-a.md: It fell.")
    assert not report.lost_claims(app, [page(error="CellTimeoutError")])


@pytest.mark.parametrize("content", ["", "[]", "{", "{}"])
def test_without_a_whole_build_before_it_nothing_is_lost(app, page, before, content):
    assert not report.lost_claims(app, [page("It fell.")])
    before(content)
    assert not report.lost_claims(app, [page("It fell.")])
