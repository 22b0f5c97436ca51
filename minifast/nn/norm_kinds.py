"""Norms by name, and replacing all norms of a model by those of another kind.

Book: ch. 16.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from minifast.errors import UnknownNameError
from minifast.nn.layer_norm import LayerNorm
from minifast.nn.norms import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    RunningBatchNorm,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS: dict[str, Callable[[int], nn.Module]] = {
    "batch": BatchNorm,
    "running": RunningBatchNorm,
    "layer": lambda n_channels: GroupNorm(1, n_channels),
    "instance": InstanceNorm,
    "group": lambda n_channels: GroupNorm(_n_groups(n_channels), n_channels),
}
_OURS = (BatchNorm, RunningBatchNorm, GroupNorm, InstanceNorm)
_TORCHS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
)


def _n_groups(n_channels: int) -> int:
    """Return how many groups of about 16 channels there are, all of one size."""
    return math.gcd(n_channels, max(1, n_channels // 16))


def make_norm(kind: str, n_channels: int) -> nn.Module:
    """Make the norm of a kind, for a number of channels.

    Args:
        kind: ``"batch"``, ``"running"``, ``"instance"``, ``"group"`` (about 16 channels
            in each), or ``"layer"``: group norm with one group, for maps of any size.
        n_channels: C.

    Raises:
        UnknownNameError: If there is no such kind.

    Source: Wu and He 2018, "Group normalization", table 3, for 16 channels in a group.
    Book: ch. 16.
    """
    if kind not in _KINDS:
        raise UnknownNameError.of("kind of norm", kind, _KINDS)
    return _KINDS[kind](n_channels)


def convert_norms(model: nn.Module, kind: str) -> nn.Module:
    """Replace all norms of channels in a model by those of one kind.

    Scales and shifts, which mean the same in each, are kept, and running statistics
    where both kinds have them. Those of torch are replaced too. ``LayerNorm``, whose
    weights are not those of channels, is left alone.

    Args:
        model: Changed in place, and returned; if it is itself a norm, a new one is.
        kind: As for :func:`make_norm`.

    Raises:
        UnknownNameError: If there is no such kind.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8))
        >>> convert_norms(model, "group")[1]
        GroupNorm(1, 8, eps=1e-05, affine=True)

    Book: ch. 16.
    """
    make_norm(kind, 1)  # refuse a wrong name before anything is changed
    if _is_channel_norm(model):
        return _converted(model, kind)
    # A norm that two places share stays one.
    made: dict[nn.Module, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is not None and _is_channel_norm(child):
                made[child] = made.get(child) or _converted(child, kind)
                setattr(parent, name, made[child])
    return model


def _is_channel_norm(module: nn.Module) -> bool:
    return isinstance(module, (*_OURS, *_TORCHS))


def is_norm(module: nn.Module) -> bool:
    """Tell whether a module is a norm, of ours or of torch's.

    Example:
        >>> is_norm(nn.LayerNorm(4)), is_norm(nn.Linear(4, 4))
        (True, False)

    Book: ch. 16.
    """
    others = (LayerNorm, nn.LayerNorm, nn.RMSNorm, nn.SyncBatchNorm)
    return _is_channel_norm(module) or isinstance(module, others)


def _converted(norm: nn.Module, kind: str) -> nn.Module:
    names = ("n_channels", "num_features", "num_channels")
    (n_channels,) = (getattr(norm, name) for name in names if hasattr(norm, name))
    new, old = make_norm(kind, n_channels), norm.state_dict()
    if "weight" not in old:
        new.register_parameter("weight", None)
        new.register_parameter("bias", None)
    state = {name: old.get(name, value) for name, value in new.state_dict().items()}
    if isinstance(new, RunningBatchNorm) and old.get("num_batches_tracked", 0) > 0:
        full = torch.tensor(float(new.window))  # what is known counts as all of it
        state["running_count"] = old.get("running_count", full)
    new.load_state_dict(state)
    new.eps = norm.eps
    new.to(next((each for each in old.values() if each.is_floating_point()), None))
    return new.train(norm.training)
