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


def picture(visit: Visit, folder: Path, name: str) -> None:
    """Save what the window shows of a page, from its top to its end."""
    page = visit.page
    size = page.viewport_size
    height = page.evaluate("document.scrollingElement.scrollHeight")
    for number, top in enumerate(range(0, height, HEIGHT), start=1):
        clip = {"x": 0, "y": top, "width": size["width"], "height": HEIGHT}
        clip["height"] = min(HEIGHT, height - top)
        path = folder / f"{name.replace('/', '-')}-{number:02}.png"
        page.screenshot(path=path, clip=clip, full_page=True)


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
                        picture(visit, folder, f"{page}-{device}-{scheme}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), tuple(sys.argv[2:]) or (*CONTENTS, *SERVICES))
    except Missing as missing:
        sys.exit(str(missing))
