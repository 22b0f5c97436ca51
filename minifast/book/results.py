"""Measured values and checked claims, left in the notebook for the build of the book.

Both are small hidden outputs. The build collects them into ``results.json``; the prose
shows a recorded value by its name.

Book: ch. 00, "How a number gets onto a page" and "Claims".
"""

from __future__ import annotations

import html
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minifast.book.machine import in_notebook
from minifast.book.timing import Timing, format_count, format_time
from minifast.errors import ClaimError, DTypeError, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

Value = bool | int | float | str


def record(name: str, value: Value | Timing, text: str | None = None) -> None:
    """Keep a measured value under a name, for the prose and for ``results.json``.

    The prose shows it with the role ``{glue:text}`` and the name.

    Args:
        name: Unique on its page, in ``kebab-case``.
        value: What was measured; of a ``Timing`` the median in seconds is kept. JSON
            has no ``nan`` and no ``inf``, so they are kept as texts.
        text: How the prose writes it; by default three significant digits.

    Raises:
        DTypeError: If it is no number, bool or text, nor an array or tensor of one.

    Book: ch. 00, "How a number gets onto a page".
    """
    if isinstance(value, Timing):
        text, value = text or format_time(value.median_s), value.median_s
    value = _plain(value)
    if not isinstance(value, Value):
        must = f"A recorded value must be a number, a bool or a text: {name}"
        raise DTypeError(must, describe(value), "Record one number of it at a time.")
    if text is None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = format_count(float(value)) if number else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    leave("record", name, text, value=value)


def claim(
    sentence: str,
    holds: bool,
    *,
    unless: bool | Sequence[bool] | None = None,
    reason: str = "",
) -> Claim:
    """State a sentence on the page that is checked in every run of the book.

    A test that nothing could fail proves nothing. So a claim names its counterexample:
    the same test of what the sentence is to be told apart from, such as the network
    before it was trained, or a result with one number changed.

    Args:
        sentence: What is claimed; numbers in it are formatted from what was measured.
        holds: Whether it is true in this run: a bool, or an array or tensor of
            exactly one. What Python merely takes for true, such as nan, a tuple or a
            function that was not called, is refused.
        unless: The same test of a counterexample, or of several: each must be False.
        reason: Why there is no counterexample, where there is none; the page does not
            show it, the lint of the chapters asks for it.

    Shape:
        holds, unless: bools, NumPy's or torch's among them, of one element each.

    Returns:
        An object that a notebook shows as a marked sentence.

    Raises:
        ClaimError: If it is not true, or a counterexample is true as well. The build
            of the book then fails.
        DTypeError: If one of them is no bool.

    Book: ch. 00, "Claims".

    Example:
        >>> claim("Doubling is exact.", 2 * 0.1 == 0.1 + 0.1, unless=3 * 0.1 == 0.3)
        ✓ Doubling is exact.
    """
    if not _truth(sentence, holds):
        raise ClaimError(
            f"This claim must hold: {sentence}",
            "it is not true in this run",
            "Look at the figures above it: mend the code, or claim what is true.",
        )
    against = unless if isinstance(unless, list | tuple) else [unless]
    tests = [each for each in against if each is not None]
    for number, each in enumerate(tests, 1):
        if _truth(sentence, each):
            raise ClaimError(
                f"This claim must be false of its counterexample: {sentence}",
                f"counterexample {number} of {len(tests)} passes the same test",
                "Test what the sentence says, so that the counterexample fails.",
            )
    facts = {"sentence": sentence, "holds": True, "against": len(tests)}
    leave("claim", f"claim: {sentence}", sentence, **facts)
    return Claim(sentence)


def _plain(value: Any) -> Any:
    """Return the one element of an array or a tensor, without importing either."""
    if hasattr(value, "item"):
        with suppress(ValueError, RuntimeError):  # more than one element, or none
            return value.item()
    return value


def _truth(sentence: str, holds: object) -> bool:
    value = _plain(holds)
    if isinstance(value, bool):
        return value
    raise DTypeError(
        f"The condition of a claim must be True or False: {sentence}",
        describe(holds),
        "Pass a comparison; of a tensor with many elements, its .all() or .any().",
    )


@dataclass(frozen=True)
class Claim:
    """A sentence that was found true in this run."""

    sentence: str

    def __repr__(self) -> str:
        """Write it for a terminal."""
        return f"✓ {self.sentence}"

    def _repr_html_(self) -> str:
        title = "checked in the run that built this page"
        return (
            f'<div class="claim" role="note" title="{title}">'
            f"<span>Checked</span> {html.escape(self.sentence)}</div>"
        )


def leave(kind: str, name: str, text: str, **payload: object) -> None:
    """Leave a hidden output in the running notebook; do nothing outside one.

    The metadata is that of myst-nb's ``glue``, which keeps the output off the page and
    lets the prose insert ``text`` by ``name``.

    Args:
        kind: ``record``, ``claim`` or ``provenance``.
        name: Unique on the page.
        text: What the prose inserts.
        payload: What the build of the book collects.
    """
    if not in_notebook():
        return
    from IPython.display import display

    prefix = "application/papermill.record/"
    glue = {"name": name, "mime_prefix": prefix}
    facts = {"kind": kind, "name": name, "text": text, **payload}
    display(  # type: ignore[no-untyped-call]
        {f"{prefix}text/plain": repr(text)},  # myst-nb evaluates it as a literal
        raw=True,
        metadata={"scrapbook": glue, "minifast": facts},
    )
