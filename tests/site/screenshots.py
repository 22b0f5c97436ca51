"""Pictures of all pages, as a desktop and a phone show them, by day and by night.

From the root of the repository, after ``make book``:

    .venv/bin/python tests/site/screenshots.py _build/screenshots [PAGE ...]

A long page becomes several pictures, numbered from its top. Solutions are unfolded.
"""

import sys
from pathlib import Path

from built_book import CONTENTS, SERVICES, Missing, serving
from chromium import DESKTOP, PHONE, Visit, chromium, visiting

DEVICES = {"desktop": DESKTOP, "phone": {**PHONE, "is_mobile": True}}
SCHEMES = ("light", "dark")
HEIGHT = 1600  # of one picture, in pixels
OVERLAP = 80  # of it, which the page's header may cover


def pictures(visit: Visit, folder: Path, name: str) -> None:
    """Save what the window shows of a page, from its top to its end."""
    page = visit.page
    page.set_viewport_size({"width": page.viewport_size["width"], "height": HEIGHT})
    length = page.evaluate("document.scrollingElement.scrollHeight")
    tops = range(0, max(length - OVERLAP, 1), HEIGHT - OVERLAP)
    for number, top in enumerate(tops, start=1):
        page.evaluate("top => window.scrollTo(0, top)", top)
        page.screenshot(path=folder / f"{name.replace('/', '-')}-{number:02}.png")


def main(folder: Path, pages: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with serving() as base, chromium() as browser:
        for device, options in DEVICES.items():
            with visiting(browser, base, **options) as visit:
                for page in pages:
                    visit.go(page)
                    visit.unfold()
                    visit.load_images()
                    for scheme in SCHEMES:
                        visit.colour_scheme(scheme)
                        pictures(visit, folder, f"{page}-{device}-{scheme}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), tuple(sys.argv[2:]) or (*CONTENTS, *SERVICES))
    except Missing as missing:
        sys.exit(str(missing))
