"""Exception classes of minifast, and helpers that write their three-line messages.

Every message answers the reader's three questions in order: what must hold, what came
instead, and what the likely fix is. The classes also derive from the built-in error a
Python programmer would expect, so ``except ValueError`` keeps working.

Book: ch. 00, "When something is wrong".
"""

from __future__ import annotations

import difflib
import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MinifastError(Exception):
    """Base of all errors that minifast raises on purpose.

    Args:
        must: What must hold, as a full sentence.
        got: What came instead: a shape, a dtype, a name, a file.
        fix: The likely fix, as an instruction.

    Example:
        >>> raise MinifastError("The batch must not be empty.", "0 rows", "Drop it.")
        Traceback (most recent call last):
        ...
        minifast.errors.MinifastError: The batch must not be empty.
          got: 0 rows
          fix: Drop it.
    """

    def __init__(self, must: str, got: str = "", fix: str = "") -> None:
        self.must, self.got, self.fix = must, got, fix
        lines = [must]
        if got:
            lines.append(f"  got: {got}")
        if fix:
            lines.append(f"  fix: {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Pickle with the three parts, so that errors cross process borders."""
        return type(self), (self.must, self.got, self.fix)


class ShapeError(MinifastError, ValueError):
    """A tensor has the wrong rank or a wrong size."""


class DTypeError(MinifastError, TypeError):
    """A tensor has the wrong dtype, or an argument the wrong type."""


class DeviceError(MinifastError, ValueError):
    """Tensors that must be on one device are on several."""


class OptionError(MinifastError, ValueError):
    """An argument or an environment variable has a value that is not allowed."""


class UnknownNameError(OptionError, LookupError):
    """A name is not among the known ones; the message names the closest."""

    @classmethod
    def of(
        cls, kind: str, name: object, known: Iterable[str], fix: str = ""
    ) -> UnknownNameError:
        """Build the error for ``name``, one that ``known`` does not hold.

        Args:
            kind: What is being named, such as ``"data set"`` or ``"MINIFAST_DATA"``.
            name: What came.
            known: The names that would have been right; there may be none.
            fix: What helps if no known name is close.
        """
        names = sorted(known)
        subject = kind if kind.isupper() else f"The {kind}"  # a variable has no article
        must = f"{subject} must be one of: {', '.join(names)}."
        if not names:
            must = f"There must be at least one {kind} to choose from."
        fix = did_you_mean(name, names) or fix or _choose(len(names))
        return cls(must, repr(name), fix)


class MissingAttributeError(MinifastError, AttributeError):
    """An object has no such attribute; the message says what does its work."""


class MissingPackageError(MinifastError, ImportError):
    """A package is not installed that only a part of minifast needs."""


class GradientError(MinifastError, ArithmeticError):
    """A gradient computed by hand differs from the finite differences."""


class ClaimError(MinifastError, AssertionError):
    """A sentence of the book is not true in this run."""


class DataError(MinifastError, OSError):
    """A data set can't be had, or what came is not what was promised."""


def _choose(n_names: int) -> str:
    if n_names == 0:
        return "Add one of that name first."
    return f"Choose one of those {n_names}." if n_names > 1 else "Choose that one."


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the closest known name, or an empty string.

    Large and small letters count as the same.

    Example:
        >>> did_you_mean("imagnet", ["mnist", "imagenette"])
        "Did you mean 'imagenette'?"
        >>> did_you_mean("zebra", ["mnist", "imagenette"])
        ''
    """
    lowered = {each.lower(): each for each in known}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.5)
    return f"Did you mean {lowered[close[0]]!r}?" if close else ""


def whole_number(
    name: str, value: object, least: int | None = None, fix: str = ""
) -> int:
    """Return a whole number as an int: NumPy's integers too, but neither 2.0 nor True.

    Args:
        name: Which argument it is.
        value: What came.
        least: The smallest number allowed; any if left out.
        fix: The likely fix, if it is another than to pass such a number.

    Raises:
        OptionError: If it is no whole number, or less than that.

    Example:
        >>> import numpy as np
        >>> whole_number("batch_size", np.uint8(64), 1)
        64
        >>> whole_number("batch_size", 2.0, 1)
        Traceback (most recent call last):
        ...
        minifast.errors.OptionError: batch_size must be a whole number of at least 1.
          got: batch_size=2.0
          fix: Pass an int of 1 or more.
    """
    if type(value) is int and (least is None or value >= least):
        return value
    is_bool = isinstance(value, bool) or str(getattr(value, "dtype", ""))[-4:] == "bool"
    try:
        number = None if is_bool else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is not None and (least is None or number >= least):
        return number
    shown = repr(value)
    if len(shown) > 60 or "\n" in shown:
        shown = describe(value)
    raise OptionError(
        f"{name} must be a whole number"
        + ("." if least is None else f" of at least {least}."),
        f"{name}={shown}",
        fix
        or ("Pass an int." if least is None else f"Pass an int of {least} or more."),
    )


def describe(value: object) -> str:
    """Say in a few words what a value is: for a tensor its shape, dtype and device.

    Shape:
        value: a tensor of any shape, or any other object -> a string.

    Example:
        >>> import torch
        >>> describe(torch.zeros(2, 3))
        'tensor (2, 3) float32 on cpu'
        >>> describe([1.0, 2.0])
        'list of length 2'
    """
    if hasattr(value, "shape") and hasattr(value, "device"):  # without importing torch
        dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
        kind = "tensor" if hasattr(value, "requires_grad") else type(value).__name__
        return f"{kind} {tuple(value.shape)} {dtype} on {value.device}"
    if isinstance(value, list | tuple | dict | set | str):
        return f"{type(value).__name__} of length {len(value)}"
    kind, shown = type(value).__name__, repr(value)
    one_line = len(shown) <= 60 and "\n" not in shown and " object at 0x" not in shown
    return f"{kind} {shown}" if one_line else f"{kind} object"


def named(**values: object) -> str:
    """Describe several values by name, as the second line of a message.

    Shape:
        values: tensors of any shapes, or any other objects -> a string.

    Example:
        >>> import torch
        >>> named(logits=torch.zeros(2, 3), target=4)
        'logits: tensor (2, 3) float32 on cpu; target: int 4'
    """
    return "; ".join(f"{name}: {describe(value)}" for name, value in values.items())
