"""Deep learning from the foundations: the package that the book grows.

The names that almost every script needs are here as well as in their rooms::

    from minifast import DataLoaders, Learner, OneCycle, accuracy, default_cbs

They are ``Learner`` and ``Callback``, to train with; ``DataLoader`` and
``DataLoaders``, for the data; ``default_cbs``, ``OneCycle`` and ``lr_find``, for most
trainings; ``cross_entropy`` and ``accuracy``, to judge by. All others are imported from
the room that holds them, as the chapters do::

    from minifast.callbacks import EarlyStopping
    from minifast.datasets.mnist import load_mnist

Importing ``minifast`` itself loads nothing, not even torch: a name's room is loaded
when the name is first asked for.
"""

TYPE_CHECKING = False  # typing's own would have to be imported

if TYPE_CHECKING:
    from minifast.callbacks import OneCycle, default_cbs, lr_find
    from minifast.data import DataLoader, DataLoaders
    from minifast.learner import Callback, Learner
    from minifast.losses import cross_entropy
    from minifast.metrics import accuracy

__version__ = "0.1.0"

__all__ = [
    "Callback",
    "DataLoader",
    "DataLoaders",
    "Learner",
    "OneCycle",
    "accuracy",
    "cross_entropy",
    "default_cbs",
    "lr_find",
]

_ROOMS = {
    "Callback": "minifast.learner",
    "DataLoader": "minifast.data",
    "DataLoaders": "minifast.data",
    "Learner": "minifast.learner",
    "OneCycle": "minifast.callbacks",
    "accuracy": "minifast.metrics",
    "cross_entropy": "minifast.losses",
    "default_cbs": "minifast.callbacks",
    "lr_find": "minifast.callbacks",
}

if not TYPE_CHECKING:  # or a type checker would take any name for one of these

    def __getattr__(name: str) -> object:
        """Return one of the names above, from its room."""
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    """List what there is, for completion too."""
    return sorted([*globals(), *__all__])
