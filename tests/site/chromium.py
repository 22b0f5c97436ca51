"""Headless Chromium without a network, and visits that note what goes wrong."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import urlsplit

from built_book import Missing
from playwright.sync_api import Browser, Locator, Page, Response, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is found except our own server's: the network is cut.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 375, "height": 812}}


def find_program() -> str:
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else PROGRAMS
    found = next(filter(None, map(shutil.which, candidates)), None)
    if found is None:
        wanted = f"CHROMIUM={named} is no program" if named else "Chromium is missing"
        raise Missing(f"{wanted}; install it with: apt-get install chromium")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    program = find_program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=FLAGS,
            # Readers have scroll bars: they take room, and may be where none belong.
            ignore_default_args=["--hide-scrollbars"],
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """A window of its own, with an empty cache, and what its pages did so far."""

    page: Page
    base: str
    errors: list[str] = field(default_factory=list, repr=False)
    failed: list[str] = field(default_factory=list, repr=False)
    foreign: list[str] = field(default_factory=list, repr=False)
    loaded: list[Response] = field(default_factory=list, repr=False)

    def __post_init__(self):
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note_request)
        self.page.on("requestfailed", lambda each: self.failed.append(each.url))
        self.page.on("response", self._note_response)

    def _note_message(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _note_request(self, request):
        address = urlsplit(request.url)
        local = urlsplit(self.base).netloc
        if address.scheme not in ("data", "blob") and address.netloc != local:
            self.foreign.append(request.url)

    def _note_response(self, response):
        self.loaded.append(response)
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")

    def go(self, name: str) -> Page:
        """Open a page of the book, and wait until its formulas are set."""
        self.page.goto(f"{self.base}{name}.html")
        self.page.evaluate("window.MathJax?.startup?.promise")
        return self.page

    def colour_scheme(self, scheme: str):
        """Let the reader's system ask for a light or a dark page."""
        self.page.emulate_media(color_scheme=scheme)
        self.page.wait_for_function(
            "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
        )

    def unfold(self):
        """Open all that is folded: solutions and the footer."""
        self.page.evaluate(
            """() => {
              const folded = document.querySelectorAll('.toggle-button-hidden');
              folded.forEach(button => button.click());
              document.querySelectorAll('details').forEach(each => each.open = true);
            }"""
        )

    def brightness(self, element: Locator) -> float:
        """Lightness of an element's own background, from 0 for black to 1 for white."""
        *channels, opacity = element.evaluate(
            """each => {
              const canvas = document.createElement('canvas').getContext('2d');
              canvas.fillStyle = getComputedStyle(each).backgroundColor;
              canvas.fillRect(0, 0, 1, 1);
              return [...canvas.getImageData(0, 0, 1, 1).data];
            }"""
        )
        return sum(channels) / (3 * 255) if opacity else 0

    def load_images(self):
        """Load the images that wait until the reader comes near them."""
        self.page.evaluate(
            """() => Promise.all([...document.images].map(image => {
              image.loading = 'eager';
              return image.decode().catch(() => {});
            }))"""
        )


@contextmanager
def visiting(browser: Browser, base: str, **options) -> Iterator[Visit]:
    settings = {**DESKTOP, "reduced_motion": "reduce", **options}
    context = browser.new_context(**settings)
    context.set_default_timeout(10_000)
    yield Visit(context.new_page(), base)
    context.close()


def axe_script() -> str:
    """Return the source of axe-core, which axe-playwright-python carries."""
    script = resources.files("axe_playwright_python") / "axe.min.js"
    return script.read_text(encoding="utf-8")
