"""Summary of a model: its layers with output shapes, parameters and multiply-adds.

Book: ch. 14.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from minifast.book import Table, table
from minifast.errors import DTypeError, describe
from minifast.nn.hooks import Hook, Hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

_MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class LayerSummary:
    """One run of a layer.

    Attributes:
        name: Its name in the model.
        kind: Its class.
        shape: The shape of its output, or shapes separated by commas.
        n_parameters: How many numbers it learns; 0 when it runs a second time.
        n_trainable: How many of these are not frozen.
        multiply_adds: How many for one sample, of convolutions and linear layers; the
            additions of biases, norms and activations are not counted.
    """

    name: str
    kind: str
    shape: str
    n_parameters: int
    n_trainable: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """The layers of a model in the order in which they run; see :func:`summary`.

    Attributes:
        layers: One for each run of a layer.
        n_parameters: How many numbers the whole model learns.
        n_trainable: How many of these are not frozen.
    """

    layers: tuple[LayerSummary, ...]
    n_parameters: int
    n_trainable: int

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of all layers, for one sample."""
        return sum(layer.multiply_adds for layer in self.layers)

    def table(self) -> Table:
        """Return it as a table."""
        rows = [
            [
                layer.name,
                layer.kind,
                layer.shape,
                f"{layer.n_parameters:,}" if layer.n_parameters else "",
                f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
            ]
            for layer in self.layers
        ]
        frozen = self.n_parameters - self.n_trainable
        note = (
            f"{self.n_parameters:,} parameters"
            + (f", {frozen:,} of them frozen" if frozen else "")
            + f"; {self.multiply_adds:,} multiply-adds for each sample"
        )
        header = ["layer", "kind", "output", "parameters", "multiply-adds"]
        return table(header, rows, n_left=2, note=note)

    def __repr__(self) -> str:
        """Write it for a terminal."""
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def summary(model: nn.Module, batch: Any) -> Summary:
    """Summarize a model: run a batch through it, and note what each layer makes of it.

    The model runs in evaluation mode and without gradients. Modes, gradients, running
    statistics and the state of the random numbers are afterwards as they were.

    Args:
        model: The model. Listed are its modules without parts, and those that have
            parameters of their own.
        batch: What the model is called with: a tensor, a tuple of what it takes, or a
            dictionary of keywords.

    Raises:
        DTypeError: If ``model`` is no module.

    Shape:
        batch: as the model takes it, (B, ...) -> a table with a row for each layer.

    Example:
        >>> summary(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.zeros(8, 4))
        layer  kind    output  parameters  multiply-adds
        0      Linear   8 x 3          15             12
        1      ReLU     8 x 3
        15 parameters; 12 multiply-adds for each sample

    Book: ch. 14.
    """
    if not isinstance(model, nn.Module):
        must, fix = "The model must be a module.", "Pass learn.model, say."
        raise DTypeError(must, describe(model), fix)
    rows: list[LayerSummary] = []
    seen: set[nn.Module] = set()
    names = {module: name for name, module in model.named_modules()}

    def note(hook: Hook, module: nn.Module, inputs: Any, output: Any) -> None:
        own = [] if module in seen else list(module.parameters(recurse=False))
        seen.add(module)
        rows.append(
            LayerSummary(
                names[module] or "(the model)",
                type(module).__name__,
                _shape(output),
                sum(p.numel() for p in own),
                sum(p.numel() for p in own if p.requires_grad),
                _multiply_adds(module, inputs, output),
            )
        )

    with _evaluating(model), Hooks(model, note, _is_layer):
        if isinstance(batch, dict):
            model(**batch)
        else:
            model(*(batch if isinstance(batch, tuple | list) else (batch,)))
    every = list(model.parameters())
    trainable = sum(p.numel() for p in every if p.requires_grad)
    return Summary(tuple(rows), sum(p.numel() for p in every), trainable)


def _is_layer(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None)
    return own is not None or next(module.children(), None) is None


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _shape(output: Any) -> str:
    if isinstance(output, Tensor):
        return " x ".join(map(str, output.shape)) or "a number"
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return ", ".join(filter(None, map(_shape, output)))
    return ""


def _multiply_adds(module: Any, inputs: Any, output: Any) -> int:
    """Count for one sample: each output of a layer adds up as many products."""
    if isinstance(module, _TRANSPOSED):  # each input goes into as many outputs
        return int(inputs[0][0].numel() * module.weight[0].numel())
    if isinstance(module, _MATRICES):
        a_sample = output[0] if output.ndim > 1 else output
        return int(a_sample.numel() * module.weight[0].numel())
    return 0
