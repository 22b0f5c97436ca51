"""What is called otherwise in other libraries, with the words for it here.

Who comes from fastai, Keras or Lightning asks for things by their names there. The
errors for these say what to write instead.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from minifast.errors import DTypeError, MissingAttributeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

# The names, parted by blanks, and what to write instead.
ARGUMENTS = {
    "metrics": "Write cbs=default_cbs(accuracy), from minifast.callbacks.",
    "opt_func optimizer optim": "Write opt=torch.optim.AdamW, say.",
    "loss_fn loss criterion": "Write loss_func=cross_entropy, say.",
    "callbacks callback_fns cb_funcs cb": "Write cbs=[...].",
    "data dbunch dataloaders dl": "Write dls=DataLoaders(train, valid).",
    "learning_rate lrs": "Write lr=0.1, say; slice(0.01, 0.1) for groups.",
    "wd weight_decay": "Write opt=partial(torch.optim.AdamW, weight_decay=0.01).",
    "moms": "Write cbs=[OneCycle(0.1, momentum=(0.95, 0.85))].",
    "n_inp": "Write inputs=2, say.",
    "path model_dir": "Give the path when you save: learn.save(path).",
    "device": "Write cbs=[DeviceCallback(device)], from minifast.callbacks.",
}
ATTRIBUTES = {
    "fit_one_cycle": "Write learn.fit(n_epochs, cbs=[OneCycle(lr_max)]).",
    "train_model fit_epochs": "Write learn.fit(n_epochs).",
    "lr_find": "Write lr_find(learn), from minifast.callbacks.",
    "recorder": "Write learn.find(Recorder); figures of epochs are in learn.history.",
    "metrics": "Write learn.find(MetricsCallback); their figures: learn.history.",
    "data dbunch dataloaders": "Write learn.dls.",
    "optimizer opt_func": "Write learn.opt.",
    "loss_fn criterion": "Write learn.loss_func.",
    "callbacks callback_fns": "Write learn.cbs.",
    "add_cb add_cbs add_callback": "Write learn.fit(n_epochs, cbs=[...]).",
    "remove_cb remove_cbs": "Write with learn.removed_cbs(cb): ...",
    "freeze": "Write body.requires_grad_(False), for the part of the model to freeze.",
    "unfreeze": "Write learn.model.requires_grad_(True).",
    "to cuda": "Write cbs=[DeviceCallback()]; default_cbs() has it.",
    "export": "Write learn.save(path); learn.load(path) takes a model of that form.",
    "summary": "Write print(learn), or print(learn.model).",
    "xb x": "Write learn.batch; what the model gets is its first part.",
    "yb y": "Write learn.targets, a tuple.",
    "n_epoch": "Write learn.n_epochs.",
    "in_train": "Write learn.training.",
}
# What an event is about: the word that comes first here decides.
SCOPES = {
    "batch": "batch",
    "step": "step",
    "backward": "backward",
    "loss": "loss",
    "validate": "validate",
    "validation": "validate",
    "predict": "predict",
    "epoch": "epoch",
    "train": "fit",
    "fit": "fit",
}


def check_arguments(kind: type, unknown: Iterable[str]) -> None:
    """Refuse arguments that a class does not take.

    Args:
        kind: The class.
        unknown: Their names.

    Raises:
        DTypeError: If there is one.
    """
    for name in unknown:
        parameters = inspect.signature(kind).parameters.values()
        known = [each.name for each in parameters if each.kind != each.VAR_KEYWORD]
        must = f"{kind.__name__} takes {', '.join(known)}."
        fix = _find(ARGUMENTS, name) or did_you_mean(name, known) or "Leave it out."
        raise DTypeError(must, f"{name}=...", fix)


def explain_attribute(owner: object, name: str) -> None:
    """Say how to get what is asked for by its name in another library.

    Args:
        owner: What was asked for an attribute that it does not have.
        name: The name of the attribute.

    Raises:
        MissingAttributeError: If it is such a name.
    """
    fix = _find(ATTRIBUTES, name)
    if fix and not hasattr(type(owner), name):  # or it is a property that has failed
        must = f"The attribute must be one that a {type(owner).__name__} has."
        raise MissingAttributeError(must, f".{name}", fix)


def event_meant(name: str) -> str:
    """Return the event that a method of another library's callbacks is, if it is one.

    Args:
        name: The method.

    Example:
        >>> event_meant("on_train_epoch_end"), event_meant("begin_validate")
        ('after_epoch', 'before_validate')
    """
    words = name.split("_")
    when = "before" if {"begin", "start", "before"} & {*words} else "after"
    for word, what in SCOPES.items():
        if word in words:
            return f"{when}_{what}"
    return ""


def _find(table: dict[str, str], name: str) -> str:
    """Return the words for a name, or an empty string."""
    return next((fix for names, fix in table.items() if name in names.split()), "")
