"""The whole book as one file for paper and readers, printed by Chromium.

From the root of the repository, after ``make book`` (``make pdf`` does both):

    .venv/bin/python tests/site/pdf.py _build/book.pdf [PAGE ...]

Solutions are unfolded. A link to another page of the book leads to it in the file; what
a reader of paper can't have, such as a notebook to download, is no link there.
"""

import html
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from built_book import CONTENTS, Missing, public_path, serving
from chromium import Visit, chromium, visiting
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, NameObject

PAPER = {
    "format": "A4",
    "margin": {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"},
    "scale": 0.85,
    "print_background": True,
    "tagged": True,
    "display_header_footer": True,
    "header_template": "<span></span>",
}
FOOTER = """\
<div style="font: 8px sans-serif; width: 100%; margin: 0 18mm; display: flex;
            justify-content: space-between">
  <span>{title}</span><span class="pageNumber"></span>
</div>"""


def title_of(visit: Visit) -> str:
    """Return a page's title, with its number as in the table of contents."""
    current = visit.page.locator("nav.bd-links li.current.active > a").first
    if current.count():
        return " ".join(current.text_content().split())
    return visit.page.title().split(" — ")[0]


def printed(visit: Visit, page: str) -> tuple[str, bytes]:
    """Return a page's title, and the page on paper."""
    visit.go(page)
    visit.unfold()
    visit.load_images()
    title = title_of(visit)
    footer = FOOTER.format(title=html.escape(title))
    return title, visit.page.pdf(**PAPER, footer_template=footer)


def bound(pages: dict[str, tuple[str, bytes]]) -> PdfWriter:
    """Return all pages in one file, with an outline, and their links led inside."""
    book, first = PdfWriter(), {}
    for name, (title, content) in pages.items():
        first[name] = len(book.pages)
        book.append(BytesIO(content), outline_item=title, import_outline=False)
    for page in book.pages:
        kept = [each for each in page.get("/Annots", ()) if lead(book, first, each)]
        page[NameObject("/Annots")] = ArrayObject(kept)
    return book


def lead(book: PdfWriter, first: dict[str, int], annotation) -> bool:
    """Lead a link to the server of this moment into the file; tell if it can stay."""
    link = annotation.get_object()
    address = urlsplit(str(link.get("/A", {}).get("/URI", "")))
    if address.hostname != "127.0.0.1":
        return True
    name = address.path.removeprefix(public_path()).removesuffix(".html")
    if name not in first:
        return False
    target = book.pages[first[name]].indirect_reference
    del link["/A"]
    link[NameObject("/Dest")] = ArrayObject([target, NameObject("/Fit")])
    return True


def main(file: Path, names: tuple[str, ...]) -> None:
    """Print pages into one file."""
    with (
        serving() as base,
        chromium() as browser,
        visiting(browser, base, color_scheme="light") as visit,
    ):
        pages = {name: printed(visit, name) for name in names}
    book = bound(pages)
    book.add_metadata({"/Title": "Deep Learning from the Foundations"})
    book.compress_identical_objects()
    file.parent.mkdir(parents=True, exist_ok=True)
    book.write(file)
    size = file.stat().st_size / 1e6
    sys.stdout.write(f"{file}: {len(book.pages)} pages, {size:.1f} MB\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), tuple(sys.argv[2:]) or CONTENTS)
    except Missing as missing:
        sys.exit(str(missing))
