"""Whether saved weights and an optimizer's state fit a model and an optimizer.

Book: ch. 11, "Keeping it".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from torch import Tensor

from minifast.errors import DataError, OptionError, ShapeError, describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn
    from torch.optim import Optimizer

ALONE = "or take the weights alone: learn.load(path, with_opt=False)."


def fitting(
    model: nn.Module, saved: Mapping[str, Any], prefix: str = "", *, strict: bool = True
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the saved weights that a model can take, and a line for each other one.

    Models in the wrappers of ``torch.compile`` and of parallel training have the names
    of what they wrap.

    Args:
        model: The model.
        saved: The weights by name.
        prefix: What stands in front of names in messages.
        strict: Whether to refuse weights if one of them does not fit.

    Raises:
        ShapeError: With the first name at which they differ, if strict; or if none of
            the weights fits.

    Shape:
        saved: any shapes, the same as those of the model's parameters and buffers.
    """
    mine = model.state_dict()
    named = _as_named(saved, mine)
    fit, left = {}, []
    for name in [*mine, *(name for name in named if name not in mine)]:
        here, there = _shape(mine, name), _shape(named, name)
        if here == there:
            fit[name] = named[name]
        else:
            left.append(f"{prefix}{name}: {there} in what was saved, {here} here")
    if left and (strict or not fit):
        must = "The saved weights must have the names and shapes of the model's."
        fix = "Build it as it was when it was saved, or take what fits: strict=False."
        raise ShapeError(must, left[0], fix)
    # Torch notes versions of layers on what state_dict returns.
    return (fit if left or named is not saved else saved), left


_WRAPPERS = {"_orig_mod", "module"}  # torch.compile's; DataParallel's and its likes'


def _as_named(saved: Mapping[str, Any], mine: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return weights by the names of the model's, where only wrappers differ."""

    def bare(name: str) -> str:
        return ".".join(p for p in str(name).split(".") if p not in _WRAPPERS)

    of_bare = {bare(name): name for name in mine}
    named = {k if k in mine else of_bare.get(bare(k), k): v for k, v in saved.items()}
    clear = len(named) == len(saved) and named.keys() != saved.keys()
    return named if clear else saved


def _shape(weights: Mapping[str, Any], name: str) -> str:
    if name not in weights:
        return "nothing"
    value = weights[name]
    if not isinstance(value, Tensor) or name.endswith("_extra_state"):
        return "a value"
    dtype = "" if value.is_floating_point() else f" {value.dtype}".replace("torch.", "")
    return f"{tuple(value.shape)}{dtype}"  # any floating dtype can be taken over


# What schedulers add to groups, and what only says how a step is computed.
_NOT_COMPARED = {"params", "param_names", "initial_lr", "max_lr", "min_lr", "swa_lr"}
_NOT_COMPARED |= {"max_momentum", "base_momentum", "foreach", "fused", "capturable"}
_NOT_COMPARED |= {"differentiable", "maximize", "decoupled_weight_decay"}
# Without them, there are no such moments to go on with.
_MAKE_MOMENTS = ("momentum", "amsgrad", "centered")


def fitting_optimizer(
    opt: Optimizer, saved: Mapping[str, Any], *, hypers: bool
) -> dict[str, Any]:
    """Return what the optimizer's ``load_state_dict`` can take without harm.

    Args:
        opt: The optimizer.
        saved: The state of a Learner.
        hypers: Whether with the saved hyper-parameters; without, with those of ``opt``.

    Raises:
        DataError: If it is no optimizer's state.
        OptionError: If it is that of an optimizer of another kind or other groups.
        ShapeError: If something in it has not the shape of its parameter.
    """
    state, theirs = saved["opt"].get("state"), saved["opt"].get("param_groups")
    mine = opt.state_dict()["param_groups"]
    well_formed = isinstance(state, Mapping) and isinstance(theirs, list)
    if not well_formed or not all(
        isinstance(g, Mapping) and isinstance(g.get("params"), list) for g in theirs
    ):
        must = "An optimizer's state must have the parts state and param_groups."
        raise DataError(must, describe(saved["opt"]), f"Save it again, {ALONE}")
    kind = type(opt).__name__
    if saved.get("opt_class", kind) != kind:
        _refuse_optimizer(f"{saved['opt_class']}; here it is {kind}")
    sizes = [[len(group["params"]) for group in groups] for groups in (theirs, mine)]
    if sizes[0] != sizes[1]:
        _refuse_optimizer("{} parameters in its groups; here {}".format(*sizes))
    for one, other in zip(theirs, mine, strict=True):
        _check_hypers(one, other, exact=hypers)
    indices = [i for group in theirs for i in group["params"]]
    params = [p for group in opt.param_groups for p in group["params"]]
    kept = _moments(state, dict(zip(indices, params, strict=True)), opt)
    pairs = zip(theirs, theirs if hypers else mine, strict=True)
    groups = [{**group, "params": numbered["params"]} for numbered, group in pairs]
    return {"state": kept, "param_groups": groups}


def _check_hypers(
    saved: Mapping[str, Any], mine: Mapping[str, Any], *, exact: bool
) -> None:
    """Refuse the groups of another optimizer, by the names of its hyper-parameters."""
    names, own = saved.keys() - _NOT_COMPARED, mine.keys() - _NOT_COMPARED
    # Of minifast's SGD and torch's, one has all that the other has.
    if names != own and (exact or not (names < own or own < names)):
        _refuse_optimizer(f"one with {_listed(names)}; here with {_listed(own)}")
    for name in names & own:
        if isinstance(mine[name], int | float) and not isinstance(
            saved[name], int | float | Tensor
        ):
            _refuse_optimizer(f"one with {name}={saved[name]!r}")
    for name in _MAKE_MOMENTS:
        if name in names & own and bool(saved[name]) != bool(mine[name]):
            _refuse_optimizer(f"one with {name}={saved[name]}; here it is {mine[name]}")


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names)))


def _refuse_optimizer(got: str) -> NoReturn:
    must = "The saved optimizer must be of the same kind, with the same groups."
    raise OptionError(must, got, f"Make the optimizer as it was, {ALONE}")


def _moments(
    state: Mapping[Any, Any], params: Mapping[Any, Tensor], opt: Optimizer
) -> dict[Any, dict[str, Any]]:
    """Return what is remembered of each parameter, shared with nobody."""
    must = "What an optimizer remembers of a parameter must have its shape."
    known = type(opt).__module__.startswith(("torch.optim.", "minifast."))
    kept: dict[Any, dict[str, Any]] = {}
    for index, values in state.items():
        if index not in params or not isinstance(values, Mapping):
            raise DataError(must, f"{index!r}: {describe(values)}", f"Save it, {ALONE}")
        kept[index], shape = {}, tuple(params[index].shape)
        for name, value in values.items():
            if not isinstance(value, Tensor):
                kept[index][name] = value
                continue
            if known and value.numel() != 1 and not _fits(tuple(value.shape), shape):
                got = f"{name} of parameter {index}: {describe(value)}, not {shape}"
                raise ShapeError(must, got, f"Make the groups as they were, {ALONE}")
            # torch would go on with this very tensor if it is on the right device.
            stays = value.device == params[index].device
            kept[index][name] = value.clone() if stays else value
    return kept


def _fits(shape: tuple[int, ...], of: tuple[int, ...]) -> bool:
    """Say whether sizes are the same, or 1 where a mean was taken, as in Adafactor."""
    return len(shape) == len(of) and all(
        a in (1, b) for a, b in zip(shape, of, strict=True)
    )
