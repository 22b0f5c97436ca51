"""The matrix product from three loops to the library's, and a backward pass by hand.

    python benchmarks/ladder.py --json results.json

Three tables: the ladder on five rows, where the cost of a call counts; the upper rungs
on a full batch, where the arithmetic counts; and forward plus backward of a small
network by hand, with our tape and with torch's autograd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from common import Contender, compare, machine, parse_arguments, peak_gflops, report

from minifast.book import format_count
from minifast.foundations import (
    LADDER,
    MSE,
    Linear,
    ReLU,
    Sequential,
    Var,
    find_compiler,
    matmul,
    matmul_broadcast,
    matmul_c,
    matmul_einsum,
    matmul_no_loop,
    matmul_slices,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from torch import Tensor

BATCH, PIXELS, CLASSES, HIDDEN = 50_000, 784, 10, 50
GPU = torch.cuda.is_available()


def measured_peaks() -> dict[str, float]:
    peaks = {"CPU float32": peak_gflops("cpu", torch.float32, 2048)}
    if GPU:
        peaks["GPU float32"] = peak_gflops("cuda", torch.float32, 8192)
        peaks["GPU bfloat16"] = peak_gflops("cuda", torch.bfloat16, 8192)
    for name, gflops in peaks.items():
        print(f"Peak, {name}: {format_count(gflops)} GFLOP/s, one large product")
    return peaks


def small_ladder(arguments: Namespace) -> dict:
    a, b = torch.randn(5, PIXELS), torch.randn(PIXELS, CLASSES)
    contenders = {"a @ b": Contender(lambda: a @ b)}
    for rung in reversed(LADDER):
        if rung.multiply is matmul_c and not find_compiler():
            continue
        call = _call(rung.multiply, rung.operand(a), rung.operand(b))
        contenders[rung.name] = Contender(call)
    if GPU:
        a_gpu, b_gpu = a.cuda(), b.cuda()
        contenders["a @ b, GPU"] = Contender(lambda: a_gpu @ b_gpu)
    flop = 2 * 5 * PIXELS * CLASSES
    title = f"5 x {PIXELS} @ {PIXELS} x {CLASSES}"
    return compare(title, contenders, arguments, flop)


def _call(function: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: function(*arguments)


def full_batch(arguments: Namespace) -> dict:
    a, b = torch.randn(BATCH, PIXELS), torch.randn(PIXELS, CLASSES)
    contenders = {
        "a @ b": Contender(lambda: a @ b),
        "library": Contender(_call(matmul, a, b)),
        "einsum": Contender(_call(matmul_einsum, a, b)),
    }
    if find_compiler():
        contenders["three loops, C"] = Contender(_call(matmul_c, a, b))
    few = [
        ("one loop, broadcasting", matmul_broadcast, 1_000),
        ("no loop, broadcasting", matmul_no_loop, 500),
        ("two loops, slices", matmul_slices, 50),
    ]
    for name, function, rows in few:
        label = f"{name} (estimate: {rows:,} rows, scaled)"
        contenders[label] = Contender(_call(function, a[:rows], b), BATCH / rows)
    low = a.bfloat16(), b.bfloat16()
    contenders["a @ b, bfloat16"] = Contender(_call(torch.matmul, *low))
    if GPU:
        for dtype in (torch.float32, torch.bfloat16):
            on_gpu = a.to("cuda", dtype), b.to("cuda", dtype)
            name = f"a @ b, GPU, {str(dtype).removeprefix('torch.')}"
            contenders[name] = Contender(_call(torch.matmul, *on_gpu))
    flop = 2 * BATCH * PIXELS * CLASSES
    title = f"{BATCH:,} x {PIXELS} @ {PIXELS} x {CLASSES}"
    return compare(title, contenders, arguments, flop)


def backward(arguments: Namespace, device: str = "cpu") -> dict:
    x = torch.randn(BATCH, PIXELS, device=device)
    y = torch.randn(BATCH, 1, device=device)
    generator = torch.Generator(device).manual_seed(0)
    layers = _network(generator).layers
    weights = [layers[0].weight, layers[0].bias, layers[2].weight, layers[2].bias]
    rows = 1_000
    label = f"by hand, outer products (estimate: {rows:,} rows, scaled)"
    contenders = {
        "autograd": Contender(_by_autograd(x, y, weights)),
        "by hand": Contender(_by_hand(x, y, _network(generator))),
        "by hand, data's gradient too": Contender(
            _by_hand(x, y, _network(generator, input_grad=True))
        ),
        "tape": Contender(_by_tape(x, y, weights)),
        label: Contender(_by_outer_products(x[:rows], y[:rows], weights), BATCH / rows),
    }
    # Three products per weight: forward, and backward to the weights and to the input,
    # but for the first layer, whose input is the data.
    flop = 2 * BATCH * (2 * PIXELS * HIDDEN + 3 * HIDDEN)
    title = f"Forward and backward, {BATCH:,} x {PIXELS}-{HIDDEN}-1, {device}"
    return compare(title, contenders, arguments, flop)


def _network(generator: torch.Generator, input_grad: bool = False) -> Sequential:
    first = Linear(PIXELS, HIDDEN, generator=generator, input_grad=input_grad)
    return Sequential(first, ReLU(), Linear(HIDDEN, 1, generator=generator))


def _by_autograd(x: Tensor, y: Tensor, weights: list[Tensor]) -> Callable[[], None]:
    w1, b1, w2, b2 = leaves = [w.clone().requires_grad_() for w in weights]

    def run() -> None:
        for w in leaves:
            w.grad = None
        F.mse_loss(F.linear(F.relu(F.linear(x, w1, b1)), w2, b2), y).backward()

    return run


def _by_hand(x: Tensor, y: Tensor, model: Sequential) -> Callable[[], None]:
    mse = MSE()

    def run() -> None:
        model.zero_grad()
        mse(model(x), y)
        model.backward(mse.backward())

    return run


def _by_tape(x: Tensor, y: Tensor, weights: list[Tensor]) -> Callable[[], None]:
    w1, b1, w2, b2 = leaves = [Var(w) for w in weights]

    def run() -> None:
        for w in leaves:
            w.grad = None
        pred = (x @ w1.T + b1).relu() @ w2.T + b2
        ((pred - y) ** 2).mean().backward()

    return run


def _by_outer_products(
    x: Tensor, y: Tensor, weights: list[Tensor]
) -> Callable[[], Tensor]:
    """The weights' gradients as one first derives them: a sum of outer products."""
    w1, b1, w2, b2 = weights

    def run() -> Tensor:
        hidden = x @ w1.T + b1
        active = hidden.clamp_min(0)
        grad = 2 * (active @ w2.T + b2 - y) / len(x)
        grad_hidden = (grad @ w2) * (hidden > 0)
        grad_w2 = (grad[:, :, None] * active[:, None, :]).sum(0)
        grad_w1 = (grad_hidden[:, :, None] * x[:, None, :]).sum(0)
        return grad_w1, grad_hidden.sum(0), grad_w2, grad.sum(0)

    return run


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.manual_seed(0)
    about = machine()
    print("# The ladder\n")
    print(", ".join(f"{key}: {value}" for key, value in about.items()), end="\n\n")
    peaks = measured_peaks()
    tables = [small_ladder(arguments), full_batch(arguments)]
    tables.append(backward(arguments))
    if GPU:
        tables.append(backward(arguments, "cuda"))
    report(arguments.json, machine=about, peaks_gflops=peaks, tables=tables)


if __name__ == "__main__":
    main()
