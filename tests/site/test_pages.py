"""Each page, opened once: nothing is missing, broken, unreadable or too wide."""

import re

import pytest
from built_book import CONTENTS, parsed_page, require_site, source
from chromium import DESKTOP

pytestmark = pytest.mark.site

# Prose, without code and formulas, where Markdown or TeX would be a mistake.
PROSE = """() => {
  const article = document.querySelector('.bd-article-container').cloneNode(true);
  article.querySelectorAll('pre, code, script, style, mjx-container, .highlight, .sig')
    .forEach(each => each.remove());
  return article.textContent;
}"""
RAW = re.compile(
    r"\$\$|\\[(\[]|\\(?:begin|frac|sum|text|mathbb)\b"
    r"|\{(?:numref|ref|eq|cite|glue|doc|term|py)[:}]|\]\([^)]*\)|``|:::|\*\*"
)
# Elements that end beyond the window's edge, and lie in no box that scrolls or clips.
BEYOND_EDGE = """width => {
  const beyond = each => each.getBoundingClientRect().right > width + 1;
  const boxed = each => each !== document.body && each !== null && (
    getComputedStyle(each).overflowX !== 'visible' && !beyond(each)
    || boxed(each.parentElement));
  return [...document.querySelectorAll('.bd-article-container *')]
    .filter(each => beyond(each) && !beyond(each.parentElement) && !boxed(each))
    .map(each => each.outerHTML.slice(0, 120));
}"""


@pytest.fixture(params=[375])
def width(request, opened):
    """Width in pixels of the narrow window that the page is shown in."""
    opened.unfold()
    opened.page.set_viewport_size({"width": request.param, "height": 812})
    yield request.param
    opened.page.set_viewport_size(DESKTOP["viewport"])


def test_opens_without_an_error(opened):
    assert opened.errors == []


def test_lacks_no_file(opened):
    assert opened.failed == []


def test_asks_no_other_host(opened):
    assert opened.foreign == []


def test_has_one_title_and_a_language(opened):
    assert opened.page.locator("h1:visible").count() == 1
    assert opened.page.locator("html").get_attribute("lang") == "en"
    assert "Deep Learning from the Foundations" in opened.page.title()


def test_sets_each_formula(opened):
    opened.unfold()
    shown = opened.page.evaluate(
        """() => [...document.querySelectorAll('.math')].map(each => {
          const boxes = [...each.querySelectorAll('mjx-container')];
          const shown = box => box.offsetWidth && box.offsetHeight;
          return boxes.length > 0 && boxes.every(shown);
        })"""
    )
    assert all(shown), f"{shown.count(False)} of {len(shown)} formulas are not shown"
    assert opened.page.locator("merror, mjx-merror, .MathJax_Error").count() == 0


def test_shows_no_raw_markup(opened):
    assert RAW.findall(opened.page.evaluate(PROSE)) == []


def test_loads_and_describes_each_image(opened):
    opened.load_images()
    images = opened.page.evaluate(
        """[...document.images].map(image =>
          [image.src, image.alt.trim(), image.naturalWidth * image.naturalHeight])"""
    )
    assert [src for src, alt, _ in images if not alt] == []
    assert [src for src, _, area in images if not area] == []


def test_fits_a_narrow_window(opened, width):
    beyond = opened.page.evaluate(BEYOND_EDGE, width)
    assert not beyond, "\n".join(beyond)
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("page", [each for each in CONTENTS if "$$" in source(each)])
def test_has_the_formulas_of_its_source(page):
    assert parsed_page(page).select("div.math")


@pytest.mark.parametrize("page", CONTENTS)
def test_keeps_to_the_weight_budget(page):
    file = require_site() / f"{page}.html"
    images = {
        file.parent / each["src"] for each in parsed_page(page).select("img[src]")
    }
    weights = {each.name: each.stat().st_size for each in (file, *images)}
    assert sum(weights.values()) <= 1_500_000, weights
