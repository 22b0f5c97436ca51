"""Cross-entropy, forward and backward: ours, torch's fused one, and the bare formula.

    python benchmarks/losses.py --json results.json

One table for each size of the logits, with class numbers as targets and with
probabilities. The formula is log-softmax and indexing, left to autograd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from common import Contender, compare, machine, parse_arguments, report

from minifast.losses import cross_entropy

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]

# Digits in small and large batches, ImageNet, and one batch of a language model.
SIZES = ((64, 10), (512, 10), (512, 1_000), (2_240, 10_000))


# What the tables say themselves; measured on two CPU cores.
NOTE = """
Written out, the loss is a dozen small operations, and torch's two. On 64 x 10 logits
starting them is all the time there is: even torch.log_softmax, gather and mean take
1.7 times as long as torch's cross_entropy. With a thousand classes the hand-written
derivative halves the time of the formula; with ten it saves a sixth.
"""


def formula(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log softmax at the right class, as chapter 6 first writes it."""
    shifted = logits - logits.detach().amax(1, keepdim=True)
    log_probs = shifted - shifted.exp().sum(1, keepdim=True).log()
    if targets.is_floating_point():
        return -(targets * log_probs).sum(1).mean()
    return -log_probs[torch.arange(len(targets), device=targets.device), targets].mean()


def forward_backward(loss: Loss, logits: Tensor, targets: Tensor) -> Contender:
    leaf = logits.clone().requires_grad_()

    def run() -> None:
        leaf.grad = None
        loss(leaf, targets).backward()

    return Contender(run)


def table(
    size: tuple[int, int], probabilities: bool, arguments: Namespace, device: str
) -> dict:
    logits = torch.randn(*size, device=device)
    classes = torch.randint(size[1], size[:1], device=device)
    mixed = torch.rand(*size, device=device).softmax(1)
    targets, kind = (mixed, "probabilities") if probabilities else (classes, "classes")
    losses = {
        "torch, fused": F.cross_entropy,
        "minifast": cross_entropy,
        "the formula": formula,
    }
    contenders = {
        name: forward_backward(loss, logits, targets) for name, loss in losses.items()
    }
    title = f"{size[0]:,} x {size[1]:,} logits, targets are {kind}, {device}"
    return compare(title, contenders, arguments)


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.manual_seed(0)
    about = machine()
    print("# Cross-entropy, forward and backward\n")
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tables = [
        table(size, probabilities, arguments, device)
        for probabilities in (False, True)
        for size in SIZES
    ]
    print(NOTE)
    report(arguments.json, machine=about, tables=tables)


if __name__ == "__main__":
    main()
