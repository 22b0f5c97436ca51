"""Reading and writing of saved states: replaced as a whole, checked byte for byte.

Book: ch. 11, "Keeping it".
"""

from __future__ import annotations

import copy
import os
import pickle
import secrets
import zipfile
from collections import Counter, OrderedDict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch

from minifast.errors import DataError, DTypeError, MinifastError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write a file anew; what was there before stays until all of it is on the disk.

    The folder is made if need be. The name to write under is this call's own, so
    processes that write the same file do not disturb each other: the last one wins.

    Args:
        path: The file.

    Raises:
        DataError: If the disk is full, or there may be no such file.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except Exception as error:
        # torch hides the disk's error behind one of its own.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        must = "The file must be written to its end; what was there before is kept."
        got = f"{path}: {cause.strerror or cause}"
        fix = "Make room on the disk, or write to another folder."
        raise DataError(must, got, fix) from cause
    finally:
        with suppress(OSError):
            part.unlink()


def write(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state to a file, which ``torch.load`` reads too.

    Args:
        state: Tensors and what ``plain`` can make plain values of.
        path: The file; its folder is made if need be.

    Raises:
        DTypeError: If something in the state is none of these.
        DataError: If the file can't be written; the old one is then untouched.
    """
    whole = plain(state)
    checksums = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(True)
    try:
        with replaced(path) as file:
            torch.save(whole, file)
    finally:
        torch.serialization.set_crc32_options(checksums)


_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_PLAIN_OF_TORCH = (torch.dtype, torch.device, torch.Size)
_DEEP = 100  # what is nested deeper may well hold itself


def plain(value: Any, *where: object) -> Any:
    """Return a state as tensors and plain values, which are all that a file may hold.

    NumPy's scalars become Python's numbers; other tuples, lists and dictionaries become
    those of Python. Tensors share their memory with what they were.

    Args:
        value: The state, or a part of it.
        where: The names that lead to it.

    Raises:
        DTypeError: If a part can't be made plain; it says where it is.

    Example:
        >>> import numpy as np
        >>> plain({"loss": np.float64(0.5), "n": [np.int64(3)]})
        {'loss': 0.5, 'n': [3]}
    """
    kind = type(value)
    if kind in _PLAIN or kind in _PLAIN_OF_TORCH:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor)
    shallow = len(where) < _DEEP
    if isinstance(value, dict) and shallow:
        parts = {plain(k, *where): plain(v, *where, k) for k, v in value.items()}
        if kind not in (OrderedDict, Counter):
            return parts
        same = copy.copy(value)  # with what torch has noted on a model's state
        same.clear()
        same.update(parts)
        return same
    if isinstance(value, list | tuple | set) and shallow:
        made = [plain(v, *where, _name(value, i)) for i, v in enumerate(value)]
        return next(k for k in (list, tuple, set) if isinstance(value, k))(made)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        number = value.item()  # of NumPy, without importing it
        if type(number) in _PLAIN:
            return number
    raise DTypeError(
        "What is saved must be tensors, numbers, text, and lists or dicts of those.",
        f"{describe(value)} at {' > '.join(map(str, where[:10]))}",
        "Leave it out of the state_dict, or make such values of it there.",
    )


def _name(parts: Any, i: int) -> object:
    """Return the number of a part, or for a pair of name and state the name."""
    pair = isinstance(parts, tuple) and len(parts) == 2 and isinstance(parts[0], str)
    return parts[0] if pair else i


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state in a file, its tensors on the CPU; no code in it is run.

    Every byte of it is held against the checksums in the file. What ``torch.save``
    wrote elsewhere is taken as well, if it has the same parts.

    Args:
        path: What ``learn.save`` or ``Checkpoint`` wrote.

    Raises:
        DataError: If there is no such file, it is damaged or holds something else.
    """
    must, path = "The file must be one that learn.save or Checkpoint wrote.", Path(path)
    if not path.is_file():
        what = "no file, but something else," if path.exists() else "no file"
        raise DataError(must, f"{what} {path}", "Check the path.")
    again = "Write it again, or take another copy of it."
    try:
        with path.open("rb") as file:
            if damage := _damage(file):
                raise DataError(must, f"{path}, {damage}", again)
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except MinifastError:
        raise
    except pickle.UnpicklingError:  # whose text advises to let the code run
        got = f"{path}, with more in it than tensors and plain values; no code was run"
        raise DataError(must, got, "Don't trust it, if it is not yours.") from None
    except OSError as error:
        raise DataError(must, f"{path}: {error.strerror or error}", again) from error
    except Exception as error:
        got = f"{path}, which can't be read ({type(error).__name__})"
        raise DataError(must, got, again) from None
    if not isinstance(state, dict) or not {"model", "opt", "scaler"} <= state.keys():
        fix = "If these are weights: learn.model.load_state_dict(torch.load(path))."
        raise DataError(must, f"{path}, which holds something else", fix)
    return state


def _damage(file: IO[bytes]) -> str:
    """Say what is wrong with the archive, which torch would read without a word."""
    if not zipfile.is_zipfile(file):
        return "which is cut off, or another kind of file"
    size = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # As torch writes it: at the beginning, nothing compressed, no folders (of which
        # torch reads no byte and checks none), nothing twice.
        if (
            min((m.header_offset for m in members), default=1)
            or any(m.compress_type or m.external_attr for m in members)
            or sum(m.file_size for m in members) > size
        ):
            return "an archive that torch did not write"
        damaged = archive.testzip()
    return f"which is damaged, in {damaged}" if damaged else ""
