"""Parameter groups: reading and setting hyper-parameters; apart, as any optimizer's.

Book: ch. 12, "The callback that sets it".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minifast.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.optim import Optimizer


def get_hypers(opt: Optimizer) -> list[dict[str, Any]]:
    """Return the hyper-parameters of each parameter group, by name.

    Args:
        opt: The optimizer.

    Book: ch. 12, "The callback that sets it".
    """
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in opt.param_groups
    ]


def set_hypers(opt: Optimizer, saved: Sequence[dict[str, Any]]) -> None:
    """Put back what ``get_hypers`` returned; drop what came on top of it.

    Args:
        opt: The optimizer, with the same groups.
        saved: One dictionary for each group.

    Book: ch. 12, "The callback that sets it".
    """
    for group, hypers in zip(opt.param_groups, saved, strict=True):
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

    Book: ch. 12, "The callback that sets it".
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

    Book: ch. 12, "The callback that sets it".
    """
    get_hyper(group, name)
    if name in group:
        group[name] = value
    else:
        group["betas"] = (value, *group["betas"][1:])
