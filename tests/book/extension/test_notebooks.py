import pytest
from minifast_book import notebooks


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("It takes {glue:text}`time`.", "It takes 1.2 ms."),
        ("See {numref}`fig-line`.", "See `fig-line`."),
        ("Call {py:func}`~minifast.book.claim`.", "Call `minifast.book.claim`."),
        ("See {doc}`the next chapter <02-forward>`.", "See the next chapter."),
        ("Braces {x} and `code` stay.", "Braces {x} and `code` stay."),
    ],
)
def test_roles_become_plain(text, plain):
    assert notebooks._plain_markdown(text, {"time": "1.2 ms"}) == plain
