from types import SimpleNamespace

import pytest
from docutils import nodes
from minifast_book import edition

SITE = "https://owner.github.io/name/"


@pytest.mark.parametrize(
    ("published", "site", "address"),
    [("1", SITE, f"{SITE}book.pdf"), ("1", "", ""), ("", SITE, ""), ("0", SITE, "")],
)
def test_the_address_is_known_where_file_and_site_are(
    monkeypatch, published, site, address
):
    monkeypatch.setenv("BOOK_PDF", published)
    config = SimpleNamespace(html_baseurl=site)
    edition.note_address(None, config)
    assert config.pdf_address == address


def test_a_link_stands_only_where_there_is_a_file():
    linked = edition.sentence(f"{SITE}book.pdf")
    assert [each["refuri"] for each in linked.findall(nodes.reference)] == [
        f"{SITE}book.pdf"
    ]
    plain = edition.sentence("")
    assert not list(plain.findall(nodes.reference))
    assert plain.astext() == "make pdf prints the whole book into one PDF file."
