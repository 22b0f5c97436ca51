"""Hooks: functions that are called whenever a module of a model has run.

torch calls a hook as ``hook(module, inputs, output)``. Here a hook is an object that
takes itself off again: at the end of a ``with`` block, after an error too, and when it
is deleted.

Book: ch. 14.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self, TypeAlias, overload

from torch import nn

from minifast.errors import (
    DTypeError,
    OptionError,
    ShapeError,
    UnknownNameError,
    describe,
)

Direction: TypeAlias = Literal["forward", "backward"]
Which: TypeAlias = (
    type[nn.Module]
    | tuple[type[nn.Module], ...]
    | Callable[[nn.Module], bool]
    | Iterable[nn.Module | str]
    | None
)
"""Which modules of a model are chosen, by their types, by a function that says yes, or
by a list of modules or names; without it, all that have no parts of their own."""


class Hook:
    """A function that is called after each run of a module, for as long as it hangs on.

    It comes off by ``remove()``, at the end of a ``with`` block however that ends, and
    when nothing refers to the hook any more: the module does not keep it alive.

    Args:
        module: Where it hangs.
        function: Called as ``function(hook, module, inputs, output)``. Forward: with
            the tuple of positional inputs and the output; a value that it returns takes
            the output's place. Backward: with the gradients of outputs and of inputs,
            ``function(hook, module, grad_output, grad_input)``, both tuples.
        direction: ``"forward"`` or ``"backward"``.

    Attributes:
        module: The module.
        kept: A list, for the function to put in what it wants to keep.

    Raises:
        DTypeError: If one is no module, or the other no function.
        UnknownNameError: If there is no such direction.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 3)
        >>> def keep_shape(hook, module, inputs, output):
        ...     hook.kept.append(tuple(output.shape))
        >>> with Hook(layer, keep_shape) as hook:
        ...     _ = layer(torch.zeros(5, 2))
        >>> hook.kept
        [(5, 3)]

    Book: ch. 14.
    """

    def __init__(
        self,
        module: nn.Module,
        function: Callable[..., Any],
        direction: Direction = "forward",
    ) -> None:
        if not isinstance(module, nn.Module):
            must, fix = "A hook must hang on a module.", "Pass model[0], say."
            raise DTypeError(must, describe(module), fix)
        if not callable(function):
            must = "A hook's function must take (hook, module, inputs, output)."
            raise DTypeError(must, describe(function), "Pass it uncalled.")
        registers: dict[str, Callable[..., Any]] = {
            "forward": module.register_forward_hook,
            "backward": module.register_full_backward_hook,
        }
        if direction not in registers:
            raise UnknownNameError.of("direction", direction, registers)
        self.module = module
        self.kept: list[Any] = []
        # The module holds what is registered. If that held the hook, which holds the
        # module, neither would go before the garbage collector has found the circle.
        this = weakref.ref(self)

        def call(module: nn.Module, *args: Any) -> Any:
            hook = this()
            if hook is None:
                return None
            first, second = args if direction == "forward" else reversed(args)
            return function(hook, module, first, second)

        handle = registers[direction](call)
        self._finalizer = weakref.finalize(self, handle.remove)

    @property
    def removed(self) -> bool:
        """Whether it has come off."""
        return not self._finalizer.alive

    def remove(self) -> None:
        """Take it off; a second time does nothing."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooks(Sequence[Hook]):
    """One hook on each of several modules of a model, and off again together.

    A list of them: ``hooks[0]`` is one, ``hooks[1:]`` are several, and so are
    ``hooks[[0, 2]]`` and, by a mask of one truth for each, ``hooks[dead > 0.9]``.

    Args:
        model: The model.
        function: As for :class:`Hook`.
        which: Which of its modules: a type or several, a function that says yes to a
            module, or a list of modules or of names as ``named_modules`` has them;
            those without parts of their own if left out. The order is the model's.
        direction: ``"forward"`` or ``"backward"``.

    Attributes:
        names: The name of each module in the model.

    Raises:
        OptionError: If that leaves no module, or one is not in the model.
        UnknownNameError: If there is no module of such a name, or no such direction.
        ShapeError: If a mask has not one truth for each hook.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> def keep_mean(hook, module, inputs, output):
        ...     hook.kept.append(output.mean().item())
        >>> with Hooks(model, keep_mean, nn.ReLU) as hooks:
        ...     _ = model(torch.zeros(1, 2))
        >>> hooks.names, len(hooks[0].kept)
        (['1'], 1)

    Book: ch. 14.
    """

    def __init__(
        self,
        model: nn.Module,
        function: Callable[..., Any],
        which: Which = None,
        direction: Direction = "forward",
    ) -> None:
        found = find_modules(model, which)
        self.names = list(found)
        self._hooks = [Hook(each, function, direction) for each in found.values()]

    def remove(self) -> None:
        """Take all of them off."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __len__(self) -> int:
        return len(self._hooks)

    @overload
    def __getitem__(self, index: int) -> Hook: ...
    @overload
    def __getitem__(self, index: slice | Iterable[int]) -> list[Hook]: ...
    def __getitem__(self, index: Any) -> Hook | list[Hook]:
        if hasattr(index, "tolist"):  # an array, a tensor or one of their numbers
            index = index.tolist()
        if isinstance(index, int | slice):
            return self._hooks[index]
        places = list(index)
        if places and all(isinstance(each, bool) for each in places):
            if len(places) != len(self):
                must = "A mask must have one truth for each hook."
                got = f"{len(places)} for {len(self)} hooks"
                raise ShapeError(must, got, "Compare a row with a number for each.")
            places = [place for place, wanted in enumerate(places) if wanted]
        return [self._hooks[place] for place in places]

    def __repr__(self) -> str:
        removed = ", removed" if all(hook.removed for hook in self) else ""
        return f"Hooks({', '.join(self.names)}{removed})"


def find_modules(model: nn.Module, which: Which = None) -> dict[str, nn.Module]:
    """Return modules of a model by name, in the order in which the model holds them.

    Args:
        model: The model; its own name in it is an empty string.
        which: As for :class:`Hooks`.

    Raises:
        OptionError: If that leaves no module, or one is not in the model.
        UnknownNameError: If there is no module of such a name.
        DTypeError: If ``model`` is no module, or ``which`` none of those.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
        >>> list(find_modules(model)), list(find_modules(model, nn.ReLU))
        (['0', '1.0'], ['1.0'])

    Book: ch. 14.
    """
    if not isinstance(model, nn.Module):
        must = "The model must be a module."
        raise DTypeError(must, describe(model), "Pass the model itself.")
    there = dict(model.named_modules())
    is_chosen = _chosen(there, which)
    found = {name: each for name, each in there.items() if is_chosen(name, each)}
    if not found:
        kinds = sorted({type(each).__name__ for each in there.values()})
        raise OptionError(
            "At least one module of the model must be chosen.",
            f"none of {', '.join(kinds)}",
            "Choose by a type that the model has, by names, or leave it out.",
        )
    return found


def _chosen(
    there: dict[str, nn.Module], which: Which
) -> Callable[[str, nn.Module], bool]:
    """Return what tells, of a name and a module, whether it is one of them."""
    if which is None:
        return lambda name, module: next(module.children(), None) is None
    types = which if isinstance(which, tuple) else (which,)
    if types and all(isinstance(each, type) for each in types):
        return lambda name, module: isinstance(module, types)
    if callable(which) and not isinstance(which, nn.Module):
        return lambda name, module: bool(which(module))
    if isinstance(which, str | nn.Module) or not isinstance(which, Iterable):
        must = "Modules must be chosen by types, by a function, or by a list of them."
        raise DTypeError(must, describe(which), "Put it in a list: [model[0]].")
    names = [_name(each, there) for each in which]
    return lambda name, module: name in names


def _name(wanted: object, there: dict[str, nn.Module]) -> str:
    if isinstance(wanted, str):
        if wanted not in there:
            raise UnknownNameError.of("module", wanted, there)
        return wanted
    for name, module in there.items():
        if module is wanted:
            return name
    raise OptionError(
        "A hook must hang on a module of the model.",
        f"{type(wanted).__name__}, which is not among its {len(there)}",
        "Take it from the model, model[0] say; a copy is another module.",
    )
