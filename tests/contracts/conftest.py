"""What the contracts walk: the source of every module that the package has."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """A module of the package, parsed but not imported."""

    name: str
    text: str
    tree: ast.Module

    @property
    def is_public(self):
        return not any(part.startswith("_") for part in self.name.split("."))


def _read(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Source(name, text, ast.parse(text))


SOURCES = [_read(path) for path in sorted((ROOT / "minifast").rglob("*.py"))]


def pytest_generate_tests(metafunc):
    """Run a test that asks for ``source`` once for each module."""
    if "source" in metafunc.fixturenames:
        metafunc.parametrize("source", SOURCES, ids=lambda source: source.name)


@pytest.fixture(scope="session")
def sources():
    return SOURCES


@pytest.fixture(scope="session")
def root():
    return ROOT
