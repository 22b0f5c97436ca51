"""Stand-ins for the two text sets: English prose from the docstrings of libraries.

Two tasks, in the layout of the sets they stand for. Classification, for IMDb reviews:
which library wrote it? Python's standard library plays ``neg`` and torch plays ``pos``.
Language modelling, for WikiText-2: the prose of the standard library, one article per
module. Both are real text with real labels; it depends on the installed versions.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import platform
import re
import zlib
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from minifast.datasets.standin.docstrings import (
    Docstring,
    standard_library,
    torch_library,
)
from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHORTEST = 8  # words in a review
OPENING = 10  # words: two texts that begin with the same ones count as one
RATINGS = {"neg": (1, 2, 3, 4), "pos": (7, 8, 9, 10)}
RARE = 3  # WikiText-2 writes <unk> for a word seen fewer times than this in train
TOKEN = re.compile(
    r"@[-.,]@"
    r"|(?:[A-Za-z]\.){2,}"  # e.g.
    r"|(?<=\w)'(?:s|t|re|ve|ll|d|m)\b"  # the end of doesn't, it's
    r"|\w+(?:\.\w+)*|\.\.\.|--|->|[^\w\s]"
)


def generate_reviews(root: Path) -> str:
    """Write ``{train,test}/{pos,neg}/<id>_<rating>.txt`` into ``root``.

    Args:
        root: An existing folder.

    Returns:
        One line on what the set is made of.

    Raises:
        DataError: no source files are installed to read docstrings from.
    """
    n_train, n_test = write_reviews(root, standard_library(), torch_library())
    return (
        f"stand-in: {n_train} + {n_test} docstrings, labelled by the library that "
        f"wrote them (neg: Python {platform.python_version()}, pos: torch "
        f"{torch.__version__}); the text changes with these versions"
    )


def write_reviews(
    root: Path, neg: Sequence[Docstring], pos: Sequence[Docstring]
) -> tuple[int, int]:
    """Split two libraries' docstrings by module, balance them and write one file each.

    Args:
        root: An existing folder.
        neg: Docstrings of the library that plays the negative reviews.
        pos: Docstrings of the library that plays the positive reviews.

    Returns:
        Number of files written for training and for testing.

    Raises:
        DataError: a part has no text for one of the labels.
    """
    texts: dict[tuple[str, str], list[str]] = {
        (part, label): [] for part in ("train", "test") for label in RATINGS
    }
    seen: set[str] = set()
    for label, docstrings in (("neg", neg), ("pos", pos)):
        for docstring in docstrings:
            text = "<br /><br />".join(docstring.paragraphs)  # as in the real reviews
            words = re.findall(r"[a-z]+", text.lower())
            opening = " ".join(words[:OPENING])
            if len(words) < SHORTEST or opening in seen:
                continue
            seen.add(opening)
            part = "test" if _hash(f"{label}/{docstring.module}") % 4 == 0 else "train"
            texts[part, label].append(text)
    if not all(texts.values()):
        raise _no_docstrings()
    return _write_part(root, texts, "train"), _write_part(root, texts, "test")


def _write_part(root: Path, texts: dict[tuple[str, str], list[str]], part: str) -> int:
    count = min(len(texts[part, label]) for label in RATINGS)
    for label, ratings in RATINGS.items():
        folder = root / part / label
        folder.mkdir(parents=True)
        chosen = sorted(texts[part, label], key=lambda text: (_hash(text), text))
        for number, text in enumerate(chosen[:count]):
            rating = ratings[_hash(f"rating of {text}") % len(ratings)]
            path = folder / f"{number}_{rating}.txt"
            path.write_bytes(text.encode())
    return count * len(RATINGS)


def generate_articles(root: Path) -> str:
    """Write ``train.txt``, ``valid.txt`` and ``test.txt`` into ``root``.

    Args:
        root: An existing folder.

    Returns:
        One line on what the set is made of.

    Raises:
        DataError: no source files are installed to read docstrings from.
    """
    counts = write_articles(root, standard_library())
    return (
        f"stand-in: {' + '.join(map(str, counts))} tokens of English from the "
        f"docstrings of Python {platform.python_version()}'s standard library, one "
        "article per module; the text changes with that version"
    )


def write_articles(root: Path, docstrings: Sequence[Docstring]) -> list[int]:
    """Write an article per module, split by module, with WikiText-2's rare-word rule.

    Args:
        root: An existing folder.
        docstrings: Docstrings, those of a module next to each other.

    Returns:
        Number of tokens in train, valid and test, with one end mark a line.

    Raises:
        DataError: a part would have no text.
    """
    parts: dict[str, list[list[str]]] = {"train": [], "valid": [], "test": []}
    for module, group in groupby(docstrings, key=lambda docstring: docstring.module):
        part = {0: "valid", 1: "test"}.get(_hash(module) % 10, "train")
        parts[part] += _article(module, list(group))
    if not all(parts.values()):
        raise _no_docstrings()
    seen = Counter(word for line in parts["train"] for word in line)
    for part, lines in parts.items():
        known = ([w if seen[w] >= RARE else "<unk>" for w in line] for line in lines)
        text = "".join(f" {' '.join(line)} \n" if line else " \n" for line in known)
        (root / f"{part}.txt").write_bytes(text.encode())
    return [sum(len(line) + 1 for line in lines) for lines in parts.values()]


def _article(module: str, docstrings: list[Docstring]) -> list[list[str]]:
    """Lines of tokens: a title, the module's own text, then a section per class."""
    lines = [[], ["=", *_title(module), "="], []]
    by_section = sorted(docstrings, key=lambda docstring: docstring.section != "")
    for section, group in groupby(by_section, key=lambda docstring: docstring.section):
        if section:
            lines += [[], ["=", "=", *_title(section), "=", "="], []]
        lines += [tokenize(text) for doc in group for text in doc.paragraphs]
    return lines


def _title(name: str) -> list[str]:
    """Split a name into its words: ``_io.StringIO`` is titled "io String IO"."""
    return re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", name).split()


def tokenize(text: str) -> list[str]:
    """Split a paragraph into tokens as WikiText does.

    Punctuation stands alone, a hyphen within a word becomes ``@-@``, and the point or
    comma within a number ``@.@`` or ``@,@``. Dotted names stay whole.

    Args:
        text: A paragraph.

    Example:
        >>> " ".join(tokenize("A low-level call takes 1.5 s, it doesn't block."))
        "A low @-@ level call takes 1 @.@ 5 s , it doesn 't block ."
    """
    text = re.sub(r"(?<=\w)-(?=\w)", " @-@ ", text)
    text = re.sub(r"(?<=\d)([.,])(?=\d)", r" @\1@ ", text)
    return TOKEN.findall(text)


def _hash(text: str) -> int:
    """A number that is the same in every process, unlike the built-in ``hash``."""
    return zlib.crc32(text.encode())


def _no_docstrings() -> DataError:
    return DataError(
        "The stand-in texts need the source files of Python and torch.",
        "too few docstrings found in the installed files",
        "Use an install with its .py files unpacked, or the real set.",
    )
