"""Parameter groups of an optimizer: reading and setting their hyper-parameters.

Book: ch. 12, "The callback that sets it".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minifast.errors import OptionError, UnknownNameError

if TYPE_CHECKING:
    from torch.optim import Optimizer


def get_hypers(opt: Optimizer) -> list[dict[str, Any]]:
    """Return the hyper-parameters of each parameter group, by name.

    Args:
        opt: The optimizer.
    """
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in opt.param_groups
    ]


def set_hypers(opt: Optimizer, saved: Sequence[dict[str, Any]]) -> None:
    """Put back what ``get_hypers`` returned; drop what came on top of it.

    Args:
        opt: The optimizer, with the same groups; some added since stay as they are.
        saved: One dictionary for each group.
    """
    for group, hypers in zip(opt.param_groups, saved, strict=False):
        for name in group.keys() - hypers.keys() - {"params"}:
            del group[name]
        group.update(hypers)


def get_hyper(group: dict[str, Any], name: str) -> float:
    """Return a hyper-parameter of a group.

    Args:
        group: One of ``opt.param_groups``.
        name: Its name; ``"momentum"`` is the first of the ``betas`` where a group has
            those instead.

    Raises:
        UnknownNameError: If the group has none of that name.

    Example:
        >>> get_hyper({"lr": 0.1, "betas": (0.9, 0.99)}, "momentum")
        0.9
    """
    if name in group:
        return float(group[name])
    if name == "momentum" and "betas" in group:
        return float(group["betas"][0])
    known = [key for key in group if key != "params"]
    raise UnknownNameError.of("hyper-parameter", name, known)


def set_hyper(group: dict[str, Any], name: str, value: float) -> None:
    """Set a hyper-parameter of a group, found as in ``get_hyper``.

    Args:
        group: One of ``opt.param_groups``.
        name: Its name.
        value: What it will be.

    Raises:
        UnknownNameError: If the group has none of that name.
    """
    get_hyper(group, name)
    if name in group:
        group[name] = value
    else:
        group["betas"] = (value, *group["betas"][1:])


def group_lrs(lr: float | Sequence[float] | slice, n_groups: int) -> list[float]:
    """Return a learning rate for each parameter group.

    Args:
        lr: One number for all; a sequence with one for each; or ``slice(lowest,
            highest)``, spread over the groups so that each is the same factor above
            the last.
        n_groups: How many groups there are.

    Raises:
        OptionError: If there are not as many rates as groups, or a slice lacks an end.

    Example:
        >>> group_lrs(0.1, 2), group_lrs(slice(1e-4, 1e-2), 3)
        ([0.1, 0.1], [0.0001, 0.001, 0.01])

    Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text
    Classification", arXiv 1801.06146, section 3.2 (discriminative fine-tuning).
    """
    if isinstance(lr, slice):
        if lr.start is None or lr.stop is None or lr.step is not None:
            must = "A slice of learning rates must have two ends."
            raise OptionError(must, repr(lr), "Write slice(1e-5, 1e-3), say.")
        factor = (lr.stop / lr.start) ** (1 / max(1, n_groups - 1))
        lowest = lr.start if n_groups > 1 else lr.stop
        return [float(f"{lowest * factor**i:.12g}") for i in range(n_groups)]
    if not isinstance(lr, Sequence):
        return [float(lr)] * n_groups
    if len(lr) != n_groups:
        must = "There must be one learning rate for all parameter groups, or for each."
        raise OptionError(must, f"{len(lr)} for {n_groups} groups", "Count them again.")
    return [float(one) for one in lr]


def set_lrs(opt: Optimizer, lr: float | Sequence[float] | slice) -> None:
    """Set the learning rates of all parameter groups.

    Args:
        opt: The optimizer.
        lr: As in :func:`group_lrs`; but a single number is taken only where the groups
            have one rate now, for it would undo what somebody has chosen.

    Raises:
        OptionError: If they have several, or ``group_lrs`` refuses the rates.
    """
    groups, now = opt.param_groups, [float(group["lr"]) for group in opt.param_groups]
    if len(set(now)) > 1 and not isinstance(lr, Sequence | slice):
        must = "Groups with rates of their own must get one each."
        got = f"lr={lr} for groups with the rates {', '.join(f'{x:g}' for x in now)}"
        raise OptionError(must, got, "Write lr=[...] or lr=slice(lowest, highest).")
    for group, rate in zip(groups, group_lrs(lr, len(groups)), strict=True):
        group["lr"] = rate
