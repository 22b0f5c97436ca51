from types import SimpleNamespace

import pytest
from minifast_book.references import References, find_references

KNOWN = References(
    site="https://b.org/",
    titles={"01-a": "A", "appendix/x": "X"},
    places={"fig-x": ("appendix/x", "fig-x"), "lost": ("no-page", "lost")},
)


@pytest.mark.parametrize(
    ("label", "address"),
    [
        ("fig-x", "https://b.org/appendix/x.html#fig-x"),
        ("lost", ""),
        ("unknown", ""),
    ],
)
def test_a_label_has_an_address_if_its_page_exists(label, address):
    assert KNOWN.label_address(label) == address


def test_without_a_site_there_are_no_addresses():
    unpublished = References(titles=KNOWN.titles, places=KNOWN.places)
    assert unpublished.page_address("01-a") == ""
    assert unpublished.label_address("fig-x") == ""
    assert unpublished.image_address("images/a.png") == ""
    assert KNOWN.image_address("images/a.png") == "https://b.org/_images/a.png"


def sphinx(base):
    """What Sphinx knows of a book with one figure and one equation."""
    python = SimpleNamespace(docname="api", node_id="minifast.stats.rms")
    env = SimpleNamespace(
        titles={"01-a": SimpleNamespace(astext=lambda: "A title")},
        toc_fignumbers={
            "01-a": {
                "figure": {"fig-a": (1, 2)},
                "displaymath": {"equation-e-b": (1, 3)},
            }
        },
        domaindata={
            "std": {"anonlabels": {"fig-a": ("01-a", "fig-a"), "sec": ("01-a", "sec")}},
            "math": {"objects": {"e_b": ("01-a", 3)}},
            "py": {"objects": {"minifast.stats.rms": python}},
        },
        config=SimpleNamespace(numfig_format={"figure": "Fig. %s"}),
    )
    return SimpleNamespace(env=env, config=SimpleNamespace(html_baseurl=base))


def test_numbers_and_places_are_those_of_sphinx():
    found = find_references(sphinx("https://b.org/book"))
    assert found.site == "https://b.org/book/"
    assert found.titles == {"01-a": "A title"}
    assert found.numbers == {"fig-a": "Fig. 1.2", "e_b": "(1.3)"}
    assert found.label_address("e_b") == "https://b.org/book/01-a.html#equation-e-b"
    assert found.places["minifast.stats.rms"] == ("api", "minifast.stats.rms")


def test_a_book_without_an_address_has_no_site():
    assert find_references(sphinx("")).site == ""
