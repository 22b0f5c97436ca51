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


def test_columns_of_words_stand_left_and_lines_have_no_blanks_at_their_ends():
    shown = table(["name", "what"], [["a", "a word"], ["long", "b"]], n_left=2)
    assert repr(shown).splitlines() == ["name  what", "a     a word", "long  b"]


def test_columns_have_a_least_width_and_a_later_row_can_be_written_below():
    shown = table(["name", "n"], [["a", 1]], min_width=4)
    assert repr(shown).splitlines() == ["name     n", "a        1"]
    assert shown.line(["b", "1000"]) == "b     1000"


def test_a_note_stands_below():
    shown = table(["a"], [["x"]], note="1 < 2")
    assert repr(shown) == "a\nx\n1 < 2"
    assert shown._repr_html_().endswith("</table><p>1 &lt; 2</p></div>")


def test_without_columns_there_is_no_table_but_the_note():
    shown = table([], [], note="nothing yet")
    assert repr(shown) == "nothing yet"
    assert shown._repr_html_() == '<div class="results"><p>nothing yet</p></div>'


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(
        ShapeError, match=r"as long as the header\.\n  got: 1 cells for 2"
    ):
        table(["a", "b"], [["x"]])
