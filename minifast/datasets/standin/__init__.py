"""Stand-ins: replacements for the real data sets that every install can make offline.

A stand-in has the folders and file formats of the set it stands for, so the same code
reads both; its content is generated, always the same, from what is installed anyway:
Python's standard library, torch, and the fonts that matplotlib ships.

Book: ch. 00, "The data".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifast.datasets.standin import digits, images, texts, tones
from minifast.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = "1"
"""Changes whenever the generated files change."""

GENERATORS: dict[str, Callable[[Path], str]] = {
    "fsdd": tones.generate,
    "imagenette": images.generate,
    "imdb": texts.generate_reviews,
    "mnist": digits.generate,
    "wikitext-2": texts.generate_articles,
}


def generate(name: str, root: Path) -> str:
    """Write the stand-in of a data set into a folder.

    Args:
        name: Name of the set: ``"fsdd"``, ``"imagenette"``, ``"imdb"``, ``"mnist"`` or
            ``"wikitext-2"``.
        root: An existing, empty folder.

    Returns:
        One line on what the stand-in is made of.

    Raises:
        UnknownNameError: There is no stand-in of that name.
        DataError: What the stand-in is made from is not installed.
    """
    if name not in GENERATORS:
        raise UnknownNameError.of("stand-in", name, GENERATORS)
    return GENERATORS[name](root)


__all__ = ["VERSION", "generate"]
