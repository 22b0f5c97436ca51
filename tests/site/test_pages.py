"""Each page, opened once: nothing is missing, broken, unreadable or too wide."""

import re

import pytest
from built_book import CONTENTS, parsed_page, require_site, source
from chromium import DESKTOP
from playwright.sync_api import expect

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


# Formulas whose first letter the reader does not see: it lies outside the window, or
# outside the box that the formula scrolls in.
BEGINS_UNSEEN = """() => {
  const clips = each => getComputedStyle(each).overflowX !== 'visible';
  const ends = each => !each.parentElement || clips(each);
  const box = each => ends(each) ? each : box(each.parentElement);
  const unseen = formula => {
    const { left, right } = formula.querySelector('mjx-c').getBoundingClientRect();
    const edges = box(formula).getBoundingClientRect();
    return left < Math.max(edges.left, 0) - 1
      || right > Math.min(edges.right, innerWidth) + 1;
  };
  return [...document.querySelectorAll('.bd-article mjx-container')]
    .filter(each => each.offsetWidth && each.querySelector('mjx-c') && unseen(each))
    .map(each => each.closest('.math').textContent.trim().slice(0, 80));
}"""
# Words of code in tables that lie on more than one line. Paths break at their slashes,
# options at their hyphens.
TORN = """() => {
  const torn = [];
  const words = document.createTreeWalker(document, NodeFilter.SHOW_TEXT, text =>
    text.parentElement.closest('.bd-article table code') ? 1 : 2);
  while (words.nextNode()) {
    for (const { 0: word, index } of words.currentNode.data.matchAll(/[^\\s/.-]+/g)) {
      const range = document.createRange();
      range.setStart(words.currentNode, index);
      range.setEnd(words.currentNode, index + word.length);
      const lines = new Set([...range.getClientRects()].map(each => each.top));
      if (lines.size > 1) torn.push(word);
    }
  }
  return torn;
}"""
CODE_SIZE, CODE_COLUMNS = 14, 88
# Code that a reader has to scroll sideways, though its lines are not too long.
CODE_SCROLLS = """columns => [...document.querySelectorAll('.cell_input pre')]
  .filter(each => each.scrollWidth > each.clientWidth)
  .map(each => each.textContent)
  .filter(text => text.split('\\n').every(line => line.length <= columns))"""


# Boxes around formulas that draw a scroll bar, with what they hold.
SCROLL_BARS = """() => [...document.querySelectorAll('.math, .math *')]
  .filter(each => {
    const style = getComputedStyle(each);
    const scrolls = /auto|scroll/.test(style.overflowX + style.overflowY);
    return scrolls && (each.offsetHeight > each.clientHeight + 1
      || each.offsetWidth > each.clientWidth + 1);
  })
  .map(each => each.textContent.slice(0, 80))"""
# Formulas that go on beyond their box, without the fading that shows it.
UNSEEN_TO_GO_ON = """() => [...document.querySelectorAll('.scrolls')]
  .filter(each => each.scrollWidth > each.clientWidth + 1
    && getComputedStyle(each).maskImage === 'none')
  .map(each => each.textContent.slice(0, 80))"""


@pytest.fixture(params=[320, 375, 414])
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


def test_shows_where_each_formula_begins_in_a_narrow_window(opened, width):
    unseen = opened.page.evaluate(BEGINS_UNSEEN)
    assert not unseen, "\n".join(unseen)
    assert opened.page.evaluate(UNSEEN_TO_GO_ON) == []
    scrolled = "[...document.querySelectorAll('.math, mjx-container')]"
    assert not opened.page.evaluate(f"{scrolled}.some(each => each.scrollLeft)")


def test_draws_no_scroll_bar_at_a_formula_that_has_room(opened):
    opened.unfold()
    assert opened.page.evaluate(SCROLL_BARS) == []


def test_a_formula_fades_where_it_goes_on(phone):
    page = phone.go("04-initialization")
    formula = page.locator("div.math .scrolls").first
    wide = re.compile(r"\bgoes-on-right\b")
    expect(formula).to_have_class(wide)
    formula.evaluate("each => { each.scrollLeft = each.scrollWidth; }")
    expect(formula).not_to_have_class(wide)
    expect(formula).to_have_class(re.compile(r"\bgoes-on-left\b"))


def test_a_formula_that_scrolls_can_be_reached_by_the_keyboard(opened, width):
    unreachable = """
      [...document.querySelectorAll('div.math mjx-container, span.math')]
        .filter(each => getComputedStyle(each).overflowX !== 'visible')
        .filter(each => each.scrollWidth > each.clientWidth && each.tabIndex < 0)
        .length"""
    assert opened.page.evaluate(unreachable) == 0


def test_tears_no_word_of_code_in_a_table(opened, width):
    assert opened.page.evaluate(TORN) == []


def test_shows_code_in_a_size_and_width_that_one_can_read(opened):
    opened.unfold()
    sizes = opened.page.evaluate(
        """[...document.querySelectorAll('.bd-article pre')].map(each =>
          parseFloat(getComputedStyle(each).fontSize))"""
    )
    assert [size for size in sizes if size < CODE_SIZE] == []
    assert opened.page.evaluate(CODE_SCROLLS, CODE_COLUMNS) == []


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
