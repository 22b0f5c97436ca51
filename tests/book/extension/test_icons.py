import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont
from minifast_book import icons

STYLE = Path("theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css")


@pytest.fixture(scope="module")
def sheet():
    return icons.sheet()


@pytest.fixture(scope="module")
def fonts(sheet):
    data = re.findall(r"base64,([\w+/=]+)", sheet)
    return [TTFont(BytesIO(b64decode(each))) for each in data]


def test_the_fonts_hold_the_icons_and_no_others(fonts):
    held = [set(font.getBestCmap()) for font in fonts]
    assert held == [set(icons.SOLID.values()), set(icons.BRANDS.values())]
    for font in fonts:
        glyphs = font["glyf"]
        empty = [name for name in font.getBestCmap().values() if not glyphs[name].xMax]
        assert empty == []


@pytest.mark.parametrize(("name", "code"), (icons.SOLID | icons.BRANDS).items())
def test_an_icon_has_the_number_that_the_theme_gives_its_name(name, code):
    style = Path(pydata_sphinx_theme.__file__).parent / STYLE
    rules = style.read_text(encoding="utf-8")
    named = re.search(rf'\.fa-{name}:before[^{{}}]*\{{content:"\\?([^"]+)"', rules)[1]
    assert code in (ord(named[0]), int(named, 16) if len(named) > 1 else None)


def test_the_licence_asks_for_a_name_of_its_own_and_for_its_notice(sheet, fonts):
    for font in fonts:
        names = {each.nameID: str(each) for each in font["name"].names}
        assert "Font Awesome" in names[0]  # the copyright notice
        assert not [n for n in (1, 4, 6) if "Awesome" in names[n]]
    assert "SIL Open Font License 1.1" in sheet.splitlines()[0]


def test_the_sheet_is_small_and_the_same_in_each_build(sheet, tmp_path):
    icons.write_sheet(tmp_path)
    written = (tmp_path / "_static" / icons.SHEET).read_text(encoding="utf-8")
    assert written == sheet
    assert len(sheet) < 10_000
