"""The text in figures, in the size in which a phone shows it."""

import math
import re
from urllib.parse import unquote

import pytest
from built_book import CONTENTS, parsed_page, require_site
from chromium import PHONE, visiting

pytestmark = pytest.mark.site

SMALLEST = 6.5  # in pixels of a phone's screen, as high as a letter with its line
# matplotlib draws text as outlines of 100 points, and scales them; what is raised or
# lowered in a formula is smaller, and not counted.
OUTLINES = re.compile(r'<g style="[^"]*" transform="[^"]*\bscale\(([\d.]+) -')
TEXT = re.compile(r"font-size[:=]\s*[\"']?([\d.]+)")
SHOWN = """() => [...document.querySelectorAll('.bd-article img[src*=".svg"]')].map(
  image => [image.src, image.getBoundingClientRect().width])"""
FIGURES = 'img[src*=".svg"]'


def font_sizes(svg):
    """Return the sizes of the texts of a picture, in its own units."""
    outlined = [100 * float(scale) for scale in OUTLINES.findall(svg)]
    return outlined + [float(size) for size in TEXT.findall(svg)]


def width_of(svg):
    return float(re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+)', svg)[1])


def test_sizes_are_read_in_both_forms_of_text():
    outlines = (
        '<g style="fill: #22303c" transform="translate(1 2) scale(0.105 -0.105)">'
    )
    text = '<text font-size="9">a</text><text style="font-size: 8px">b</text>'
    assert font_sizes(outlines + text) == pytest.approx([10.5, 9, 8])


@pytest.mark.parametrize("page", CONTENTS)
def test_text_of_figures_can_be_read_on_a_phone(browser, base, page):
    if not parsed_page(page).select(FIGURES):
        return  # asked here, not when tests are collected: then there may be no site
    small = []
    with visiting(browser, base, **PHONE, is_mobile=True) as phone:
        phone.go(page)
        phone.unfold()
        phone.load_images()
        for src, shown in phone.page.evaluate(SHOWN):
            file = require_site() / unquote(src.removeprefix(base))
            svg = file.read_text(encoding="utf-8")
            smallest = min(font_sizes(svg), default=math.inf)  # some have no text
            size = smallest * shown / width_of(svg)
            if size < SMALLEST and shown:
                small.append(f"{file.name}: {size:.1f} pixels")
    assert not small, "\n".join(small)
