"""The book on paper: ``make pdf``."""

from io import BytesIO

import pdf
import pytest
from chromium import visiting
from pypdf import PdfReader

pytestmark = pytest.mark.site

NAMES = (
    "00-how-this-book-works",
    "01-matmul",
    "appendix/papers",
    "appendix/bibliography",
)


@pytest.fixture(scope="module")
def printed(browser, base):
    with visiting(browser, base) as visit:
        return {name: pdf.printed(visit, name) for name in NAMES}


@pytest.fixture(scope="module")
def book(printed):
    content = BytesIO()
    pdf.bound(printed).write(content)
    return PdfReader(content)


def targets(book):
    """Return for each link its address, or the page of the file that it leads to."""
    links = [
        each.get_object() for page in book.pages for each in page.get("/Annots", ())
    ]
    addresses = [
        str(link["/A"]["/URI"]) for link in links if "/URI" in link.get("/A", {})
    ]
    inside = [
        book.get_page_number(link["/Dest"][0].get_object())
        for link in links
        if isinstance(link.get("/Dest"), list)
    ]
    return addresses, inside


def test_each_page_of_the_book_is_in_the_outline_where_it_begins(book, printed):
    assert [item.title for item in book.outline] == [t for t, _ in printed.values()]
    assert book.outline[1].title == "1. Matrix multiplication"
    starts = [book.get_destination_page_number(item) for item in book.outline]
    assert starts[0] == 0
    for start, word in zip(starts, ("book", "Matrix", "Papers", "Bib"), strict=True):
        assert word in book.pages[start].extract_text()


def test_links_lead_to_pages_of_the_file_or_to_the_net(book):
    addresses, inside = targets(book)
    start = book.get_destination_page_number(book.outline[1])
    assert start in inside  # of the appendix, to chapter 1
    assert not [each for each in addresses if "127.0.0.1" in each]
    assert any(each.startswith("https://") for each in addresses)


def test_solutions_are_unfolded_on_paper(book):
    text = " ".join(page.extract_text() for page in book.pages)
    assert "Solution" in text
    assert "Show the solution" not in text
