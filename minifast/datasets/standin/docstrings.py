"""English prose that every install has: the docstrings of installed source files.

The files are parsed with ``ast`` and never imported. Only paragraphs that read as
English are kept: no code, no doctests, no tables, no lists of arguments.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Tests talk about tests, and vendored packages are other authors' text.
SKIPPED_FOLDERS = {"test", "tests", "idle_test", "testing", "_vendor", "__pycache__"}

MARKUP = (
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r":[\w:+.-]+:`~?([^`<]+?)(?:\s*<[^`]*>)?`"), r"\1"),  # :func:`name`
    (re.compile(r"`([^`<]+?)(?:\s*<[^`]*>)?`_{0,2}"), r"\1"),  # `name`, `text <url>`_
    (re.compile(r"`+"), ""),
    (re.compile(r"(?<![\w*])\*{1,2}(\w[^*\n]*)\*{1,2}(?!\w)"), r"\1"),  # *emphasis*
)
SENTENCE = re.compile(r"""["'(]?[A-Z][^|\\]*[.!?)"']""")
WORD = re.compile(r"""["'(]*[A-Za-z]+(?:[-'][A-Za-z]+)*["').,;:!?]*""")
CODE = re.compile(
    r"^\s|>>>|::$|^\.\.|^[-*+:@]|^[=~^#|]{2,}"  # indented, prompts, lists, rules
    r"|https?://|[{}]|[\ud800-\udfff]",
    re.MULTILINE,
)


class Docstring(NamedTuple):
    """The prose of one docstring, and where it stands.

    Args:
        module: Dotted name of the module.
        section: Name of the top-level class that it belongs to, or ``""``.
        paragraphs: Its paragraphs of prose, each on one line.
    """

    module: str
    section: str
    paragraphs: list[str]


def standard_library() -> list[Docstring]:
    """Read the docstrings of Python's standard library, without its tests."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = [
        file
        for name in sorted(sys.stdlib_module_names)
        for file in (folder / f"{name}.py", *source_files(folder / name))
    ]
    return read_docstrings(files, folder)


def torch_library() -> list[Docstring]:
    """Read the docstrings of torch, without its tests and what it vendors."""
    folder = Path(torch.__path__[0])
    return read_docstrings(source_files(folder), folder)


def source_files(folder: Path) -> list[Path]:
    """List the Python files below a folder, sorted, without tests.

    Args:
        folder: Where to look; one that is not there has no files.
    """
    return sorted(
        file
        for file in folder.rglob("*.py")
        if SKIPPED_FOLDERS.isdisjoint(file.relative_to(folder).parts)
    )


def read_docstrings(files: Iterable[Path], folder: Path) -> list[Docstring]:
    """Read the docstrings that hold prose, in the order of the files and their lines.

    A file that is not there, can't be read or can't be parsed is passed over.

    Args:
        files: Python files.
        folder: The folder that module names count from.
    """
    found = []
    for file in tqdm(files, desc="reading docstrings", disable=None):
        parts = file.relative_to(folder).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__") or folder.name
        for section, text in _walk(_parse(file), ""):
            if paragraphs := prose(text):
                found.append(Docstring(module, section, paragraphs))
    return found


def _parse(file: Path) -> ast.Module:
    """Parse a source file; one that can't be read counts as empty."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in other people's sources
            return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _walk(node: ast.AST, section: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ClassDef):
        section = section or node.name
    holds_text = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(node, holds_text) and (text := ast.get_docstring(node)):
        yield section, text
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, section)


def prose(text: str) -> list[str]:
    r"""Keep the paragraphs of a docstring that read as English sentences.

    Args:
        text: A docstring.

    Returns:
        The paragraphs, each on one line, with no markup.

    Example:
        >>> prose('Return the ``sum`` of both.\n\n    >>> add(1, 2)\n    3')
        ['Return the sum of both.']
    """
    for pattern, plain in MARKUP:
        text = pattern.sub(plain, text)
    blocks = (textwrap.dedent(block) for block in re.split(r"\n[ \t]*\n", text))
    return [" ".join(block.split()) for block in blocks if _is_english(block)]


def _is_english(block: str) -> bool:
    """Whether a paragraph is a sentence of at least four words, most of them plain."""
    block = block.strip("\n")
    if CODE.search(block) or not SENTENCE.fullmatch(block):
        return False
    words = block.split()
    plain = sum(WORD.fullmatch(word) is not None for word in words)
    return len(words) >= 4 and plain >= 0.8 * len(words)
