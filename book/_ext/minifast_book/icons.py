"""A small icon font for the theme's buttons, in the place of its script of all icons.

The theme, pydata-sphinx-theme, carries Font Awesome Free in two forms: a script of
1.5 MB that draws each icon as SVG, and fonts of which its style sheet shows an icon if
there is no script. The template ``static/webpack-macros.html`` leaves the script out.
The icons that pages use are cut out of the fonts and put into one style sheet, as a
font of its own name. An icon that is not in it still appears: the browser then loads
the theme's whole font, which the site tests notice.

Font Awesome Free's fonts are under the SIL Open Font License 1.1, which asks that
whoever changes them gives them another name, and keeps the licence and its notice.
"""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pydata_sphinx_theme
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from minifast_book.files import write_whole

NAME = "Book Icons"
SHEET = "icons.css"
FONTS = Path("theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts")
SOLID = {
    # buttons, in the header, the sidebars and beside solutions
    "angle-down": 0xF107,
    "angle-left": 0xF104,
    "angle-right": 0xF105,
    "arrow-up": 0xF062,
    "bars": 0xF0C9,
    "chevron-down": 0xF078,
    "circle-half-stroke": 0xF042,
    "code": 0xF121,
    "download": 0xF019,
    "expand": 0xF065,
    "file": 0xF15B,
    "file-pdf": 0xF1C1,
    "lightbulb": 0xF0EB,
    "list": 0xF03A,
    "magnifying-glass": 0xF002,
    "magnifying-glass-minus": 0xF010,
    "moon": 0xF186,
    "rocket": 0xF135,
    "sun": 0xF185,
    "xmark": 0xF00D,
    # titles of notes, warnings and exercises
    "bell": 0xF0F3,
    "circle-exclamation": 0xF06A,
    "circle-info": 0xF05A,
    "circle-xmark": 0xF057,
    "pencil": 0xF303,
    "share": 0xF064,
    "triangle-exclamation": 0xF071,
}
BRANDS = {"github": 0xF09B}
NOTICE = """\
/* Cut out of Font Awesome Free's fonts. SIL Open Font License 1.1, openfontlicense.org.
   Copyright (c) Fonticons, Inc., with Reserved Font Name "Font Awesome". */
"""
# Font Awesome 6's rules name its fonts; here the own font stands before them. Nothing
# is said in the place of an icon: the button's name is beside it, or is its label.
RULES = """\
:root {{
  --fa-font-solid: normal 900 1em/1 "{name}", "Font Awesome 6 Free";
}}

.fa-solid,
.fas {{
  font-family: "{name}", "Font Awesome 6 Free";
}}

.fa-brands,
.fab {{
  font-family: "{name}", "Font Awesome 6 Brands";
  font-weight: 400;
}}
"""
FACE = """\
@font-face {{
  font-display: block;
  font-family: "{name}";
  font-weight: {weight};
  src: url("data:font/woff;base64,{data}") format("woff");
}}
"""
SILENT = '.fa-{icon}::before {{ content: "\\{code:x}" / ""; }}\n'


def write_sheet(site: str | Path) -> None:
    """Put the style sheet with the icons where pages look for it."""
    write_whole(Path(site, "_static", SHEET), sheet())


def sheet() -> str:
    """Return the style sheet: two fonts, and the rules that use them."""
    faces = [
        _face("fa-solid-900.ttf", 900, SOLID),
        _face("fa-brands-400.ttf", 400, BRANDS),
    ]
    silent = [
        SILENT.format(icon=icon, code=code) for icon, code in (SOLID | BRANDS).items()
    ]
    return "\n".join([NOTICE, *faces, RULES.format(name=NAME), "".join(silent)])


def _face(file: str, weight: int, icons: dict[str, int]) -> str:
    font = subset(Path(pydata_sphinx_theme.__file__).parent / FONTS / file, icons)
    data = base64.b64encode(font).decode()
    return FACE.format(name=NAME, weight=weight, data=data)


def subset(file: Path, icons: dict[str, int]) -> bytes:
    """Return a font that holds just these icons, the same bytes in each build."""
    font = TTFont(file, recalcTimestamp=False)
    subsetter = Subsetter(Options(name_IDs=[0, 1, 2, 4, 6, 13, 14], hinting=False))
    subsetter.populate(unicodes=icons.values())
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 4, 6):
            record.string = NAME.replace(" ", "") if record.nameID == 6 else NAME
    font.flavor = "woff"
    content = BytesIO()
    font.save(content)
    return content.getvalue()
