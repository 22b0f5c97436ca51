from types import SimpleNamespace

import pytest
from minifast_book.chapters import link_chapters


@pytest.mark.parametrize(
    ("line", "linked"),
    [
        ('Book: ch. 01, "One loop".', 'Book: :doc:`ch. 01 </01-matmul>`, "One loop".'),
        ("Source: a. Book: ch. 01.", "Source: a. Book: :doc:`ch. 01 </01-matmul>`."),
        ("Book: ch. 44, not yet.", "Book: ch. 44, not yet."),
        ("See ch. 01 of another book.", "See ch. 01 of another book."),
    ],
)
def test_the_chapter_of_a_docstring_is_linked(line, linked):
    env = SimpleNamespace(found_docs={"01-matmul", "intro", "api/index"})
    lines = ["Multiply.", line]
    link_chapters(SimpleNamespace(env=env), "function", "matmul", None, None, lines)
    assert lines == ["Multiply.", linked]
