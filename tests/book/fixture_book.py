"""Small books that are built with the real configuration and extension."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
STRICT = ("-W", "-n", "--keep-going")


@dataclass(frozen=True)
class Build:
    """What one run of jupyter-book gave."""

    returncode: int
    output: str

    @property
    def kept(self):
        """Names of the pages whose outputs were kept from an earlier build."""
        return self._pages_that("kept")

    @property
    def executed(self):
        """Names of the pages that were executed."""
        return self._pages_that("executed")

    def _pages_that(self, end):
        rows = [line.split() for line in self.output.splitlines()]
        return [row[0] for row in rows if len(row) == 6 and row[-1] == end]


def read_json(site, name):
    """Return a JSON file of a built site."""
    return json.loads((site / name).read_text(encoding="utf-8"))


class FixtureBook:
    """A copy of one of the small books, with a copy of the package beside it."""

    def __init__(self, name, folder):
        self.folder = folder
        self.sources = folder / "book"
        shutil.copytree(FIXTURES / name, self.sources)
        shutil.copytree(ROOT / "book" / "_static", self.sources / "_static")
        self.package = folder / "package" / "minifast"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "minifast", self.package, ignore=ignored)

    @property
    def site(self):
        return self.folder / "_build" / "html"

    def build(self, *options, **environment):
        """Build the book in a process of its own, with stand-in data."""
        process = self.start(*options, **environment)
        output, _ = process.communicate()
        return Build(process.returncode, output)

    def start(self, *options, **environment):
        """Start that process."""
        program = Path(sys.executable).with_name("jupyter-book")
        places = {
            "--config": ROOT / "_config.yml",
            "--toc": self.sources / "_toc.yml",
            "--path-output": self.folder,
        }
        named = [part for pair in places.items() for part in pair]
        return subprocess.Popen(
            [program, "build", self.sources, "-q", *options, *named],
            env=self._environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self):
        foreign = ("BOOK_", "MINIFAST_", "GITHUB_")
        own = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return own | {
            "PYTHONPATH": str(self.package.parent),
            "MINIFAST_CACHE": str(self.folder / "data"),
            "MINIFAST_DATA": "standin",
            "BOOK_CACHE": str(self.folder / "outputs"),
            "GITHUB_REPOSITORY": "",  # whatever the origin of this checkout
        }

    def edit(self, file, old, new):
        """Replace a piece of text in a page or in the copy of the package."""
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def page(self, name):
        """Return the HTML of a built page."""
        return (self.site / f"{name}.html").read_text(encoding="utf-8")

    def notebook(self, name):
        """Return the notebook that readers of a page download."""
        return nbformat.read(self.site / "_sources" / f"{name}.ipynb", as_version=4)
