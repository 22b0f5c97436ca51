"""Weight initialization: Kaiming (He), Xavier (Glorot), LeCun and orthogonal.

They keep the size of a signal the same through every layer. A unit adds up ``fan_in``
products, so weights of variance 1 / fan_in keep the variance of a signal on its way
forward, and 1 / fan_out that of the gradients on their way back. What the activation
takes away is given back by its gain; see :func:`calculate_gain`.

A weight is (out, in) for a linear layer and (out, in, ...) for a convolution. Where the
order is (in, out), as in a transposed convolution or in ``x @ w``, pass the transposed
view: ``kaiming_normal_(w.transpose(0, 1))``.

Book: ch. 04, 05 and 15.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from minifast.errors import (
    DTypeError,
    OptionError,
    ShapeError,
    UnknownNameError,
    describe,
)
from minifast.nn.layers import is_activation
from minifast.nn.norm_kinds import is_norm

if TYPE_CHECKING:
    from collections.abc import Callable

Mode: TypeAlias = Literal["fan_in", "fan_out"]
Nonlinearity: TypeAlias = Literal[
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"
]

_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
_GAINS: dict[str, float] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,  # for the gradients; lecun_normal_ has the one of the SELU paper
}


def calculate_gain(nonlinearity: Nonlinearity, param: float | None = None) -> float:
    """Gain of an activation: the factor on weights that makes up for what it takes.

    ReLU sets half of the signal to zero and with it half of the mean square, so weights
    need twice the variance: a gain of sqrt(2).

    Args:
        nonlinearity: The activation; :func:`init_model` says which layer its gain is
            for.
        param: The negative slope of a leaky ReLU, 0.01 if not given; no other has one.

    Raises:
        UnknownNameError: If there is no such activation.
        OptionError: If an activation without a slope is given one.

    Example:
        >>> calculate_gain("relu") ** 2
        2.0000000000000004
        >>> calculate_gain("leaky_relu", 1.0) == calculate_gain("linear")
        True

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2, eq. 15.
    Book: ch. 05.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        known = [*_GAINS, "leaky_relu"]
        raise UnknownNameError.of("nonlinearity", nonlinearity, known)
    if param is not None:
        must = "Only a leaky ReLU has a negative slope."
        got = f"negative slope {param} for {nonlinearity!r}"
        raise OptionError(must, got, "Use nonlinearity='leaky_relu'.")
    return _GAINS[nonlinearity]


def fan_in_and_fan_out(weight: Tensor, *, groups: int = 1) -> tuple[int, int]:
    """Fan-in and fan-out: how many inputs a unit adds up, and how many use an input.

    A kernel of H x W adds up that many numbers of each channel. Near padded borders,
    and with a stride, the true counts are smaller.

    Args:
        weight: Of a linear layer or a convolution.
        groups: Those of a grouped convolution: an input goes to its own group only. The
            shape of the weight says how many inputs a group has, not how many groups.

    Raises:
        OptionError: If the outputs can't be divided into that many groups.
        ShapeError: If the weight has fewer than two dimensions, or no element.
        DTypeError: If it does not hold floating-point numbers.

    Shape:
        weight: (out, in) or (out, in, ...), not empty, floating-point -> two integers.

    Example:
        >>> fan_in_and_fan_out(torch.empty(10, 784))
        (784, 10)
        >>> fan_in_and_fan_out(torch.empty(32, 1, 5, 5))
        (25, 800)
        >>> fan_in_and_fan_out(torch.empty(32, 1, 5, 5), groups=32)  # depthwise
        (25, 25)

    Book: ch. 04 and 05.
    """
    if weight.ndim < 2 or weight.numel() == 0:
        must = "A weight must be (out, in) or (out, in, ...), and not empty."
        fix = "Biases and scales have no fans: set them with zero_() or fill_()."
        raise ShapeError(must, describe(weight), fix)
    if not weight.is_floating_point():
        must, fix = "A weight must be floating-point.", "Use weight.float()."
        raise DTypeError(must, describe(weight), fix)
    if groups < 1 or weight.shape[0] % groups:
        must = "The outputs of a weight must divide into groups of one size."
        got = f"{groups} groups for {describe(weight)}"
        raise OptionError(must, got, "Use the groups of the layer: groups=conv.groups.")
    window = math.prod(weight.shape[2:])
    return weight.shape[1] * window, weight.shape[0] // groups * window


def _kaiming_std(
    weight: Tensor,
    mode: Mode,
    nonlinearity: Nonlinearity,
    negative_slope: float | None,
    groups: int,
) -> float:
    counts = fan_in_and_fan_out(weight, groups=groups)
    fans = dict(zip(("fan_in", "fan_out"), counts, strict=True))
    if mode not in fans:
        raise UnknownNameError.of("mode", mode, fans)
    return calculate_gain(nonlinearity, negative_slope) / math.sqrt(fans[mode])


@torch.no_grad()
def kaiming_normal_(
    weight: Tensor,
    *,
    mode: Mode = "fan_in",
    nonlinearity: Nonlinearity = "relu",
    negative_slope: float | None = None,
    groups: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Kaiming (He) normal initialization: standard deviation gain / sqrt(fan).

    Args:
        weight: Overwritten in place, and returned.
        mode: ``"fan_in"`` keeps the size of the signal, ``"fan_out"`` the gradients'.
        nonlinearity: The activation whose gain it is; see :func:`calculate_gain`.
        negative_slope: That of a leaky ReLU; torch calls it ``a``.
        groups: Those of a grouped convolution; only ``"fan_out"`` needs them.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        UnknownNameError: If there is no such mode or nonlinearity.
        OptionError, ShapeError, DTypeError: As :func:`calculate_gain` and
            :func:`fan_in_and_fan_out` do.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2.
    Book: ch. 04.
    """
    std = _kaiming_std(weight, mode, nonlinearity, negative_slope, groups)
    return weight.normal_(0, std, generator=generator)


@torch.no_grad()
def kaiming_uniform_(
    weight: Tensor,
    *,
    mode: Mode = "fan_in",
    nonlinearity: Nonlinearity = "relu",
    negative_slope: float | None = None,
    groups: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Kaiming (He) uniform initialization: standard deviation gain / sqrt(fan).

    The numbers lie between plus and minus sqrt(3) times that. With
    ``negative_slope=math.sqrt(5)`` and ``nonlinearity="leaky_relu"``, torch's default
    for its layers, the gain is sqrt(1/3), so the bound is 1 / sqrt(fan_in).

    Args:
        weight: Overwritten in place, and returned.
        mode: ``"fan_in"`` keeps the size of the signal, ``"fan_out"`` the gradients'.
        nonlinearity: The activation whose gain it is; see :func:`calculate_gain`.
        negative_slope: That of a leaky ReLU; torch calls it ``a``.
        groups: Those of a grouped convolution; only ``"fan_out"`` needs them.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        UnknownNameError: If there is no such mode or nonlinearity.
        OptionError, ShapeError, DTypeError: As :func:`calculate_gain` and
            :func:`fan_in_and_fan_out` do.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2.
    Book: ch. 04 and 05.
    """
    std = _kaiming_std(weight, mode, nonlinearity, negative_slope, groups)
    bound = math.sqrt(3) * std
    return weight.uniform_(-bound, bound, generator=generator)


def _xavier_std(weight: Tensor, gain: float) -> float:
    return gain * math.sqrt(2 / sum(fan_in_and_fan_out(weight)))


@torch.no_grad()
def xavier_normal_(
    weight: Tensor, *, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Xavier (Glorot) normal initialization: variance gain^2 2 / (fan_in + fan_out).

    It is a compromise: only a square layer keeps both the signal and the gradients.

    Args:
        weight: Overwritten in place, and returned.
        gain: A factor on all numbers, such as ``calculate_gain("tanh")``.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        ShapeError, DTypeError: As :func:`fan_in_and_fan_out` does.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep
    feedforward neural networks", sec. 4.2.1, eq. 12.
    Book: ch. 04.
    """
    return weight.normal_(0, _xavier_std(weight, gain), generator=generator)


@torch.no_grad()
def xavier_uniform_(
    weight: Tensor, *, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Xavier (Glorot) uniform initialization: variance gain^2 2 / (fan_in + fan_out).

    Args:
        weight: Overwritten in place, and returned.
        gain: A factor on all numbers, such as ``calculate_gain("tanh")``.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        ShapeError, DTypeError: As :func:`fan_in_and_fan_out` does.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep
    feedforward neural networks", sec. 4.2.1, eq. 16.
    Book: ch. 04.
    """
    bound = math.sqrt(3) * _xavier_std(weight, gain)
    return weight.uniform_(-bound, bound, generator=generator)


def lecun_normal_(weight: Tensor, *, generator: Generator | None = None) -> Tensor:
    """LeCun normal initialization: variance 1 / fan_in, as SELU needs it.

    Args:
        weight: Overwritten in place, and returned.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        ShapeError, DTypeError: As :func:`fan_in_and_fan_out` does.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: LeCun et al. 1998, "Efficient backprop", sec. 4.6, eq. 16; Klambauer et al.
    2017, "Self-normalizing neural networks", paragraph "Initialization".
    Book: ch. 04.
    """
    return kaiming_normal_(weight, nonlinearity="linear", generator=generator)


@torch.no_grad()
def orthogonal_(
    weight: Tensor, *, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Orthogonal initialization: a random rotation, no direction grows or shrinks.

    The smaller dimension decides: with out <= in the rows are orthonormal, otherwise
    the columns are. The kernels of a convolution count as one row for each output.

    Args:
        weight: Overwritten in place, and returned.
        gain: A factor on all numbers, such as ``calculate_gain("relu")``.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        ShapeError, DTypeError: As :func:`fan_in_and_fan_out` does.

    Shape:
        weight: (out, in) or (out, in, ...), floating-point -> itself.

    Source: Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", sec. 3; Mezzadri 2007, "How to generate random
    matrices from the classical compact groups", sec. 5.
    Book: ch. 04.
    """
    fan_in_and_fan_out(weight)
    # There is no QR decomposition in half precision.
    dtype = torch.promote_types(weight.dtype, torch.float32)
    flat = torch.empty_like(weight.flatten(1), dtype=dtype).normal_(generator=generator)
    wide = flat.shape[0] < flat.shape[1]
    q, r = torch.linalg.qr(flat.T if wide else flat)
    # Without the signs of r the rotation would not be drawn evenly from all of them.
    q = q * r.diagonal().sign()
    return weight.copy_((q.T if wide else q).reshape(weight.shape)).mul_(gain)


def measured_gain(activation: Callable[[Tensor], Tensor]) -> float:
    """Gain of any activation: one over the root of the mean square of what it gives.

    What it gives, that is, for numbers of the standard normal distribution. They are
    not drawn but spread evenly over it, a hundred thousand of them, which gives the
    sqrt(2) of ReLU to four digits, and a gain for activations without a formula.

    Args:
        activation: From a tensor to one of its shape, each number by itself.

    Raises:
        OptionError: If it gives zeros alone, or anything that is not finite.
        ShapeError: If it gives another shape.

    Shape:
        The activation: (100,000) float32 -> the same; a float comes back.

    Example:
        >>> round(measured_gain(torch.relu), 3)
        1.414

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2, where the mean
    square of ReLU is taken by a formula.
    Book: ch. 15.
    """
    n = 100_000
    middles = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    x = torch.special.ndtri(middles).float()
    with torch.no_grad():
        y = activation(x)
    if y.shape != x.shape:
        must = "An activation must give as many numbers as it gets."
        raise ShapeError(must, describe(y), "Pass one that treats each by itself.")
    square = y.double().square().mean().item()
    if not 0 < square < math.inf:
        must = "An activation must let something finite through."
        raise OptionError(
            must, f"a mean square of {square}", "Try it on torch.randn(9)."
        )
    return 1 / math.sqrt(square)


@torch.no_grad()
def init_model(
    model: nn.Module,
    *,
    distribution: Literal["normal", "uniform"] = "normal",
    generator: Generator | None = None,
) -> nn.Module:
    """Initialize all linear layers and convolutions of a model, as He's rule does.

    A weight gets the variance gain^2 / fan_in, where the gain, measured, is that of the
    activation that comes before the layer: it gives back what that has taken. Where
    none does, as before the first layer, or a norm stands between, the gain is 1. So
    for inputs of variance 1, what each activation gets has variance 1 too. "Before" is
    meant in the order of ``model.modules()``. Biases are set to zero; norms, and all
    else, stay as they are.

    Args:
        model: Changed in place, and returned.
        distribution: What the weights are drawn from.
        generator: Where the random numbers come from; torch's own if there is none.

    Raises:
        UnknownNameError: If there is no such distribution.
        OptionError: If the model has nothing to initialize, or an activation has no
            gain.

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2, eq. 7: the factor
    is that of the layer's input.
    Book: ch. 15.
    """
    draws = {"normal": kaiming_normal_, "uniform": kaiming_uniform_}
    if distribution not in draws:
        raise UnknownNameError.of("distribution", distribution, draws)
    gains = _gains_before(model)
    if not gains:
        must = "The model must have a linear layer or a convolution."
        fix = "Initialize other layers by the functions of minifast.nn.init."
        raise OptionError(must, f"a {type(model).__name__} without one", fix)
    for layer, gain in gains.items():
        transposed = getattr(layer, "transposed", False)
        weight = layer.weight.transpose(0, 1) if transposed else layer.weight
        draws[distribution](weight, nonlinearity="linear", generator=generator)
        # Each output of a transposed convolution adds up the inputs of its group only.
        weight.mul_(gain * math.sqrt(layer.groups) if transposed else gain)
        if layer.bias is not None:
            layer.bias.zero_()
    return model


def _gains_before(model: nn.Module) -> dict[Any, float]:
    """Return each layer with the gain of the activation that comes before it."""
    gains: dict[Any, float] = {}
    gain = 1.0
    for module in model.modules():
        if isinstance(module, _LAYERS):
            gains[module], gain = gain, 1.0
        elif is_norm(module):
            gain = 1.0
        elif is_activation(module):
            gain = measured_gain(module)
    return gains
