"""Layers beside those of torch: general ReLU, concat pooling, blocks of a convolution.

Convolutions themselves are torch's, which chapter 13 holds against loops, a matrix and
unfolding; see :mod:`minifast.foundations.convolution`.

Book: ch. 13 and 15.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minifast.errors import DTypeError, OptionError, ShapeError, describe, whole_number
from minifast.nn.norm_kinds import make_norm

if TYPE_CHECKING:
    from collections.abc import Callable


class Lambda(nn.Module):
    """A function as a layer, so that it can stand in a ``Sequential``.

    It must be a function that pickle finds by its name, or the model could be neither
    saved whole nor handed to another process. So a lambda is refused, against the name.

    Args:
        function: From a tensor to a tensor.
        arguments: Keywords that the function is called with.

    Raises:
        DTypeError: If it is no function, or can't be pickled.

    Shape:
        That of the function.

    Example:
        >>> Lambda(torch.flatten, start_dim=1)(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 12])

    Book: ch. 13.
    """

    def __init__(self, function: Callable[..., Tensor], **arguments: Any) -> None:
        super().__init__()
        if not callable(function):
            must, fix = "The function of a layer must be one.", "Pass it uncalled."
            raise DTypeError(must, describe(function), fix)
        self.function, self.arguments = function, arguments
        try:
            pickle.dumps((function, arguments))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            must = "The function of a layer must be one that pickle finds by its name."
            fix = "Define it with def at the top of a module, not as a lambda."
            raise DTypeError(must, repr(function), fix) from error

    def forward(self, x: Tensor) -> Tensor:
        """Call the function.

        Shape:
            x: as the function takes it -> what it returns.
        """
        return self.function(x, **self.arguments)

    def extra_repr(self) -> str:
        """Return the function's name, as ``print(model)`` shows it."""
        named = [f"{name}={value!r}" for name, value in self.arguments.items()]
        return ", ".join([getattr(self.function, "__name__", ""), *named])


class Flatten(nn.Module):
    """All numbers of a sample in one row.

    Shape:
        (B, ...) -> (B, D).

    Book: ch. 13.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Flatten all dimensions but the first.

        Shape:
            x: (B, ...) -> (B, D).
        """
        return x.flatten(1)


class GeneralReLU(nn.Module):
    """ReLU with a leak, a shift and a cap: min(leaky_relu(x) - sub, max).

    ReLU gives no negative number, so the mean of what it gives is well above zero;
    ``sub`` takes it down again.

    Args:
        leak: The slope below zero.
        sub: What is subtracted.
        max: The largest output; none if left out.

    Raises:
        OptionError: If the leak is negative, or the cap not above all else.

    Shape:
        Any, floating -> the same.

    Example:
        >>> GeneralReLU(leak=0.1, sub=0.4, max=1.0)(torch.tensor([-1.0, 0.0, 1.0, 9.0]))
        tensor([-0.5000, -0.4000,  0.6000,  1.0000])

    Source: lesson 10 of the course, notebook 06_cuda_cnn_hooks_init.
    Book: ch. 15.
    """

    def __init__(
        self,
        leak: float = 0.0,
        sub: float = 0.0,
        max: float | None = None,  # noqa: A002
    ) -> None:
        super().__init__()
        if not 0 <= leak < math.inf:
            must, fix = (
                "leak must be a slope of 0 or more.",
                "0 for plain ReLU, or 0.1.",
            )
            raise OptionError(must, f"leak={leak}", fix)
        if max is not None and max <= -sub:
            must = "The cap must be larger than what the activation gives at zero."
            raise OptionError(must, f"max={max}, sub={sub}", "Use max=6.0, say.")
        self.leak, self.sub, self.max = leak, sub, max

    @property
    def floor(self) -> float:
        """The smallest output, that of dead units; minus infinity with a leak."""
        return -math.inf if self.leak else 0.0 - self.sub

    def forward(self, x: Tensor) -> Tensor:
        """Cut off, shift, cap.

        Shape:
            x: any, floating -> the same.
        """
        x = F.leaky_relu(x, self.leak) if self.leak else F.relu(x)
        if self.sub:
            x = x - self.sub
        return x if self.max is None else x.clamp_max(self.max)

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"leak={self.leak}, sub={self.sub}, max={self.max}"


_OF_SEVERAL = (nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Softmin, nn.GLU)


def is_activation(module: nn.Module) -> bool:
    """Tell whether a module is an activation of torch's, or ``GeneralReLU``.

    Those that mix several numbers, as softmax does, are none here.

    Example:
        >>> is_activation(nn.GELU()), is_activation(nn.Linear(1, 1))
        (True, False)

    Book: ch. 15.
    """
    if isinstance(module, GeneralReLU):
        return True
    homes = {base.__module__ for base in type(module).__mro__}
    mixes = isinstance(module, (*_OF_SEVERAL, nn.MultiheadAttention))
    return "torch.nn.modules.activation" in homes and not mixes


class AdaptiveAvgPool(nn.Module):
    """Average of each of ``size`` by ``size`` parts of a map, whatever its size.

    Where the parts don't come out even, neighbours overlap by one position.

    Args:
        size: How many parts there are along each side.

    Raises:
        OptionError: If it is not a whole number of at least 1.

    Shape:
        (B, C, H, W) -> (B, C, size, size).

    Book: ch. 13.
    """

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.size = whole_number("size", size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool a batch of maps.

        Shape:
            x: (B, C, H, W) -> (B, C, size, size).
        """
        return adaptive_pool(x, self.size, torch.mean)

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"size={self.size}"


class AdaptiveConcatPool(AdaptiveAvgPool):
    """The average and the maximum of each part of a map, as twice as many channels.

    Args:
        size: How many parts there are along each side.

    Shape:
        (B, C, H, W) -> (B, 2 C, size, size), the maxima first.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool a batch of maps twice.

        Shape:
            x: (B, C, H, W) -> (B, 2 C, size, size).
        """
        pooled = [adaptive_pool(x, self.size, f) for f in (torch.amax, torch.mean)]
        return torch.cat(pooled, 1)


def adaptive_pool(x: Tensor, size: int, reduce: Callable[..., Tensor]) -> Tensor:
    """Reduce each of ``size`` by ``size`` parts of a map to one number.

    Part i of a side of n positions begins at i n / size, rounded down, and ends before
    (i + 1) n / size, rounded up.

    Args:
        x: The maps.
        size: How many parts there are along each side.
        reduce: ``torch.mean``, ``torch.amax``, or another that takes ``dim``.

    Raises:
        ShapeError: If ``x`` is no batch of maps.

    Shape:
        x: (B, C, H, W) -> (B, C, size, size).

    Book: ch. 13.
    """
    if x.ndim != 4:
        must, fix = "Maps must come as a batch (B, C, H, W).", "Index with [None]."
        raise ShapeError(must, describe(x), fix)
    if size == 1:
        return reduce(x, dim=(2, 3)).view(*x.shape[:2], 1, 1)
    rows, columns = (_parts(n, size) for n in x.shape[2:])
    parts = [reduce(x[:, :, row, col], dim=(2, 3)) for row in rows for col in columns]
    return torch.stack(parts, 2).view(*x.shape[:2], size, size)


def _parts(n: int, size: int) -> list[slice]:
    return [slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


class ConvBlock(nn.Sequential):
    """A convolution with what follows it; :func:`conv_block` makes one.

    Its parts are ``conv``, ``norm`` and ``activation``, in the order in which they run.
    """

    conv: nn.Conv2d

    def forward(self, x: Tensor) -> Tensor:
        """Run the parts one after the other.

        Raises:
            ShapeError: If ``x`` has other channels than the convolution takes.

        Shape:
            x: (B, in_channels, H, W) -> (B, out_channels, H', W').
        """
        if x.ndim != 4 or x.shape[1] != self.conv.in_channels:
            must = f"The block must get (B, {self.conv.in_channels}, H, W)."
            fix = "Make it for the channels that come, or view the batch as images."
            raise ShapeError(must, describe(x), fix)
        for part in self:
            x = part(x)
        return x


def conv_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    norm: str | None = None,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    norm_last: bool = False,
    bias: bool | None = None,
) -> ConvBlock:
    """Make a convolution, a norm and an activation, any but the first left out at will.

    Args:
        in_channels: The channels that come.
        out_channels: The channels that go, one for each filter.
        kernel_size: The height and width of the filters.
        stride: How many positions the filters move at a time.
        padding: How many zeros are put around the maps; half the kernel if left out, so
            that with a stride of 1 and an odd kernel their size stays.
        groups: Into how many groups, each with filters of its own, channels divide.
        norm: A kind of :func:`minifast.nn.norm_kinds.make_norm`; none if left out.
        activation: What makes the activation, a class for instance; None for none.
        norm_last: Whether the norm comes behind the activation, not before it.
        bias: Whether the convolution has a bias; if left out, unless the norm follows
            it directly, which would subtract it again.

    Raises:
        OptionError: If sizes are no whole numbers above zero, or the groups don't
            divide the channels.
        UnknownNameError: If there is no such norm.
        DTypeError: If ``activation`` makes no module.

    Shape:
        The block: (B, in_channels, H, W) -> (B, out_channels, H', W'), where H' is
        (H + 2 padding - kernel_size) // stride + 1.

    Example:
        >>> list(dict(conv_block(3, 8, stride=2, norm="batch").named_children()))
        ['conv', 'norm', 'activation']

    Book: ch. 13, 15 and 16.
    """
    whole_number("in_channels", in_channels, 1)
    whole_number("out_channels", out_channels, 1)
    whole_number("groups", groups, 1)
    if in_channels % groups or out_channels % groups:
        must = "Groups must divide both numbers of channels."
        got = f"{groups} groups for {in_channels} and {out_channels} channels"
        fix = f"Use groups={math.gcd(in_channels, out_channels, groups)}, say."
        raise OptionError(must, got, fix)
    shifts_itself = norm is not None and not norm_last
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        whole_number("kernel_size", kernel_size, 1),
        stride=whole_number("stride", stride, 1),
        padding=kernel_size // 2 if padding is None else padding,
        groups=groups,
        bias=not shifts_itself if bias is None else bias,
    )
    parts: dict[str, nn.Module] = {"conv": conv}
    follow = ("activation", "norm") if norm_last else ("norm", "activation")
    for name in follow:
        if name == "norm" and norm is not None:
            parts[name] = make_norm(norm, out_channels)
        elif name == "activation" and activation is not None:
            parts[name] = _made(activation)
    return ConvBlock(OrderedDict(parts))


def _made(activation: Callable[[], nn.Module]) -> nn.Module:
    """Make an activation; each block has its own, since a hook sits on one module."""
    made = None if isinstance(activation, nn.Module) else activation()
    if not isinstance(made, nn.Module):
        must = "activation must make a module each time that it is called."
        fix = "Pass a class, or functools.partial(GeneralReLU, leak=0.1)."
        raise DTypeError(must, describe(activation), fix)
    return made
