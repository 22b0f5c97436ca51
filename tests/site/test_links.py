"""The links of all pages, followed without a browser."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from built_book import CONTENTS, EXECUTED, parsed, parsed_page, require_site

pytestmark = pytest.mark.site


@cache
def targets(file: Path) -> set[str]:
    """What a link can name on a page."""
    named = parsed(file).select("[id], a[name]")
    return {each.get("id") or each["name"] for each in named}


def is_broken(page: Path, link: str) -> bool:
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return False
    path = unquote(address.path)
    goal = page.parent / path if path else page
    goal = goal / "index.html" if goal.is_dir() else goal
    if not goal.is_file():
        return True
    fragment = unquote(address.fragment)
    return fragment != "" and goal.suffix == ".html" and fragment not in targets(goal)


def every_page() -> list[Path]:
    # The 404 page is shown at any depth, so its links begin at the root of the host.
    return [each for each in require_site().rglob("*.html") if each.name != "404.html"]


def test_lead_to_something_on_every_page():
    broken = [
        f"{page.relative_to(require_site())}: {link}"
        for page in every_page()
        for tag in parsed(page).select("[href], [src]")
        if is_broken(page, link := tag.get("href", tag.get("src")))
    ]
    assert not broken, "\n".join(broken)


def test_begin_nowhere_at_the_root_of_the_host():
    absolute = [
        f"{page.relative_to(require_site())}: {link}"
        for page in every_page()
        for tag in parsed(page).select("[href], [src]")
        if (link := tag.get("href", tag.get("src"))).startswith("/")
    ]
    assert not absolute, "\n".join(absolute)


def neighbours(link: str) -> list[str]:
    """Follow the links of one name from each page of the book."""
    found = {page: parsed_page(page).select_one(f"a.{link}") for page in CONTENTS}
    site = require_site().resolve()
    ends = {
        page: (site / f"{page}.html").parent / tag["href"]
        for page, tag in found.items()
        if tag
    }
    return [
        (page, str(end.resolve().relative_to(site).with_suffix("")))
        for page, end in ends.items()
    ]


def test_next_leads_through_the_book_in_order():
    assert neighbours("right-next") == list(pairwise(CONTENTS))


def test_previous_leads_back_through_the_book():
    assert neighbours("left-prev") == [(b, a) for a, b in pairwise(CONTENTS)]


def test_code_leads_to_the_pages_of_the_functions_it_calls():
    links = parsed_page("01-matmul").select("pre a.sphinx-codeautolink-a")
    ends = {each["href"] for each in links}
    assert "api/foundations.html#minifast.foundations.matmul.matmul" in ends


@pytest.mark.parametrize("page", EXECUTED)
def test_references_to_figures_carry_the_numbers_of_the_figures(page):
    document = parsed_page(page)
    for number in document.select(".std-numref"):
        link = number.find_parent("a")
        assert link is not None, f"{number.text} leads nowhere"
        goal = urlsplit(link["href"])
        file = require_site() / f"{page}.html"
        file = file.parent / goal.path if goal.path else file
        figure = parsed(file).find(id=unquote(goal.fragment))
        assert figure.select_one(".caption-number").text.strip() == number.text.strip()


@pytest.mark.parametrize("page", EXECUTED)
def test_figures_are_numbered_in_their_order(page):
    labels = [each.text for each in parsed_page(page).select(".caption-number")]
    numbers = [int(label.split()[-1].split(".")[-1]) for label in labels]
    assert numbers == list(range(1, len(numbers) + 1))
