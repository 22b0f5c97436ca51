"""What norms and a look inside the model cost: ours against torch's, and no look.

    python benchmarks/inside.py --json results.json

First each norm, forward and backward, against torch's of the same kind. Then training
steps of a small CNN with and without statistics of its activations, in batches of 64
and 512: against a loop by hand, our Learner with nothing, with means and deviations,
and with histograms; beside them, hooks as one would write them first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from common import Contender, compare, machine, parse_arguments, report
from loop import SETTINGS, ours, per_batch, raw
from torch import nn

from minifast.callbacks import ActivationStats
from minifast.nn import (
    BatchNorm,
    GroupNorm,
    Hook,
    Hooks,
    InstanceNorm,
    LayerNorm,
    RunningBatchNorm,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from loop import Batches, Fit

SHAPE = (64, 64, 32, 32)

NORMS: dict[str, dict[str, nn.Module]] = {
    "Batch norm": {
        "torch": nn.BatchNorm2d(64),
        "minifast": BatchNorm(64),
        "minifast, running": RunningBatchNorm(64),
    },
    "Group norm, 8 groups": {
        "torch": nn.GroupNorm(8, 64),
        "minifast": GroupNorm(8, 64),
    },
    "Group norm, 1 group": {
        "torch": nn.GroupNorm(1, 64),
        "minifast": GroupNorm(1, 64),
    },
    "Instance norm": {
        "torch": nn.InstanceNorm2d(64, affine=True),
        "minifast": InstanceNorm(64),
    },
    "Layer norm": {
        "torch": nn.LayerNorm(SHAPE[1:]),
        "minifast": LayerNorm(SHAPE[1:]),
    },
}


def forward_backward(norm: nn.Module, device: str) -> Contender:
    norm = norm.to(device)
    x = torch.randn(SHAPE, device=device, requires_grad=True)
    grad = torch.randn(SHAPE, device=device)

    def run() -> None:
        x.grad = None
        norm(x).backward(grad)

    return Contender(run)


def norm_table(kind: str, arguments: Namespace, device: str) -> dict:
    contenders = {
        name: forward_backward(norm, device) for name, norm in NORMS[kind].items()
    }
    title = f"{kind}, {' x '.join(map(str, SHAPE))}, {device}"
    return compare(title, contenders, arguments)


def first_hooks(model: nn.Module, train: Batches, valid: Batches) -> Fit:
    """The loop by hand, with hooks that write means and deviations into lists."""
    fit = raw(model, train, valid)
    kept: list[tuple[torch.Tensor, ...]] = []

    def look(hook: Hook, module: nn.Module, _: object, output: torch.Tensor) -> None:
        if module.training:
            x = output.detach()
            kept.append((x.mean(), x.std(), torch.histc(x, 40, -4, 8)))

    hooks = Hooks(model, look, nn.ReLU)

    def hooked() -> object:
        kept.clear()
        found = fit()
        assert len(kept) == len(hooks) * len(train)  # and they are kept on, till then
        return found

    return hooked


LOOKING = {
    "raw loop": raw,
    "minifast, not looking": ours,
    "minifast, mean and deviation": lambda *given: ours(
        *given, [ActivationStats(bins=0)]
    ),
    "minifast, with histograms": lambda *given: ours(*given, [ActivationStats()]),
    "hooks by hand, with histograms": first_hooks,
}


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.manual_seed(0)
    about = machine()
    print("# Norms, and a look inside\n")
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tables = [norm_table(kind, arguments, device) for kind in NORMS]
    for setting in SETTINGS:
        if setting.name.startswith("CNN"):
            tables.append(per_batch("looking", LOOKING, setting, arguments, device))
    report(arguments.json, machine=about, tables=tables)


if __name__ == "__main__":
    main()
