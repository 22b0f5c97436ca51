"""The links of all pages, followed without a browser."""

import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from built_book import (
    CONTENTS,
    EXECUTED,
    parsed,
    parsed_page,
    public_path,
    require_site,
)

pytestmark = pytest.mark.site


@cache
def targets(file: Path) -> set[str]:
    """What a link can name on a page."""
    named = parsed(file).select("[id], a[name]")
    return {each.get("id") or each["name"] for each in named}


@cache
def links(file: Path) -> list[str]:
    """What a page refers to: pages, scripts, styles, images."""
    tags = parsed(file).select("[href], [src]")
    return [tag.get("href", tag.get("src")) for tag in tags]


def goal(page: Path, link: str) -> Path | None:
    """Return the file that a link leads to, or None if it leaves the site."""
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return None
    path = unquote(address.path)
    file = (page.parent / path).resolve() if path else page
    return file / "index.html" if file.is_dir() else file


def reachable() -> list[Path]:
    """Return the pages that readers can come to, found by following links."""
    found = [require_site().resolve() / f"{page}.html" for page in CONTENTS]
    for page in found:
        ends = (goal(page, link) for link in links(page))
        html = (end for end in ends if end and end.suffix == ".html" and end.is_file())
        found += [end for end in dict.fromkeys(html) if end not in found]
    return found


def is_broken(page: Path, link: str) -> bool:
    end, fragment = goal(page, link), unquote(urlsplit(link).fragment)
    if end is None:
        return False
    if not end.is_file():
        return True
    return fragment != "" and end.suffix == ".html" and fragment not in targets(end)


def test_links_lead_to_something():
    # On source pages viewcode also links back names that a module merely imports.
    broken = [
        f"{page}: {link}"
        for page in reachable()
        for link in links(page)
        if is_broken(page, link) and "_modules" not in page.parts
    ]
    assert not broken, "\n".join(broken)


def test_links_do_not_begin_at_the_root_of_the_host():
    absolute = [
        f"{page}: {link}"
        for page in reachable()
        for link in links(page)
        if link.startswith("/")
    ]
    assert not absolute, "\n".join(absolute)


def test_the_sitemap_lists_the_pages_of_the_book_alone():
    sitemap = require_site() / "sitemap.xml"
    if public_path() == "/" and not sitemap.exists():
        pytest.skip("no repository is known, so no address to list pages by")
    text = sitemap.read_text(encoding="utf-8")
    addresses = re.findall(r"<loc>(.*?)</loc>", text)
    listed = [urlsplit(each).path.removeprefix(public_path()) for each in addresses]
    assert sorted(listed) == sorted(f"{page}.html" for page in CONTENTS)


def test_documented_names_show_their_source():
    sources = {page for page in reachable() if "_modules" in page.parts}
    assert any(page.name == "products.html" for page in sources)


def neighbours(direction: str) -> list[tuple[str, str]]:
    """Pair each page with the one that its button of that name leads to."""
    site = require_site().resolve()
    found = []
    for page in CONTENTS:
        if button := parsed_page(page).select_one(f"a.{direction}"):
            end = goal(site / f"{page}.html", button["href"])
            found.append((page, str(end.relative_to(site).with_suffix(""))))
    return found


def test_next_leads_through_the_book_in_order():
    assert neighbours("right-next") == list(pairwise(CONTENTS))


def test_previous_leads_back_through_the_book():
    assert neighbours("left-prev") == [(b, a) for a, b in pairwise(CONTENTS)]


def test_code_leads_to_the_pages_of_the_functions_it_calls():
    code = parsed_page("01-matmul").select("pre a.sphinx-codeautolink-a")
    ends = {each["href"] for each in code}
    assert "api/foundations.html#minifast.foundations.products.matmul" in ends


@pytest.mark.parametrize("page", EXECUTED)
def test_references_to_figures_carry_the_numbers_of_the_figures(page):
    file = require_site() / f"{page}.html"
    for number in parsed(file).select(".std-numref"):
        link = number.find_parent("a")
        assert link is not None, f"{number.text} leads nowhere"
        figure = parsed(goal(file, link["href"])).find(
            id=urlsplit(link["href"]).fragment
        )
        assert figure.select_one(".caption-number").text.strip() == number.text


@pytest.mark.parametrize("page", EXECUTED)
def test_figures_and_tables_are_numbered_in_their_order(page):
    numbers = defaultdict(list)
    for label in parsed_page(page).select(".caption-number"):
        kind, number = label.text.split()
        numbers[kind].append(int(number.split(".")[-1]))
    for found in numbers.values():
        assert found == list(range(found[0], found[0] + len(found)))
