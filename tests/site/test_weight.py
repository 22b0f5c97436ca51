"""What a page makes a reader's browser load, and that its icons are there."""

import gzip
from io import BytesIO

import pytest
from built_book import SITE
from chromium import PHONE, visiting
from PIL import Image

pytestmark = pytest.mark.site

COMPRESSED = ("document", "script", "stylesheet")  # by the server, on the way
# In bytes over the wire, of scripts, styles and fonts together.
# MathJax loads a font for each alphabet of a page: double-struck E costs 15 kB.
BUDGET, WITH_FORMULAS = 250_000, 550_000
ICONS = 'i[class*="fa-"]:visible, span[class*="fa-"]:visible'


def weights(visit):
    """Return the bytes over the wire of each kind of file that a page loaded."""
    visit.page.wait_for_load_state("networkidle")
    total = {}
    for response in visit.loaded:
        kind, body = response.request.resource_type, response.body()
        size = len(gzip.compress(body) if kind in COMPRESSED else body)
        total[kind] = total.get(kind, 0) + size
    return total


def test_loads_little_that_is_not_its_own(opened):
    loaded = weights(opened)
    around = sum(loaded.get(kind, 0) for kind in ("script", "stylesheet", "font"))
    formulas = opened.page.locator(".math").count()
    assert around <= (WITH_FORMULAS if formulas else BUDGET), loaded


def test_the_first_page_loads_little(visit, record_property):
    visit.go("intro")
    loaded = weights(visit)
    for kind, weight in loaded.items():
        record_property(f"first load, {kind}", f"{weight / 1000:.0f} KB")
    assert sum(loaded.values()) < 500_000, loaded


def test_loads_no_file_with_all_icons(opened):
    urls = [response.url for response in opened.loaded]
    assert [url for url in urls if "fontawesome" in url or "fa-solid" in url] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["intro", "01-matmul", "search", "404"])
@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_each_button_shows_its_icon(browser, base, device, page, scheme):
    assert (SITE / f"{page}.html").exists()
    with visiting(browser, base, **device, color_scheme=scheme) as visit:
        visit.go(page)
        icons = visit.page.locator(ICONS).all()
        assert len(icons) >= 4
        for icon in icons:
            picture = Image.open(BytesIO(icon.screenshot())).convert("L")
            darkest, lightest = picture.getextrema()
            name = icon.get_attribute("class")
            assert min(picture.size) >= 8, f"{name} has no room"
            assert lightest - darkest > 60, f"{name} is blank"
