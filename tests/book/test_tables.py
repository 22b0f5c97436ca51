import pytest

from minifast.book import table
from minifast.errors import ShapeError


def test_columns_are_aligned():
    lines = repr(table(["name", "n"], [["a", 1], ["long", 1000]])).splitlines()
    assert lines == ["name     n", "a        1", "long  1000"]


def test_html_is_escaped_and_has_a_header():
    page = table(["a < b"], [["x & y"]])._repr_html_()
    assert '<th scope="col">a &lt; b</th>' in page
    assert "<td>x &amp; y</td>" in page


def test_a_table_may_have_no_rows():
    assert repr(table(["name", "n"], [])) == "name  n"


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(
        ShapeError, match=r"as long as the header\.\n  got: 1 cells for 2"
    ):
        table(["a", "b"], [["x"]])
