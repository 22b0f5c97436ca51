"""Callbacks of the package: what the training loop itself does not do.

Their ``order`` at an event comes from one table, ``minifast.learner.Order``.

Book: ch. 11, "Who listens to what"; ch. 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minifast.callbacks.activations import ActivationStats
from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.debug import SingleBatch, Trace
from minifast.callbacks.device import DeviceCallback, default_device, to_device
from minifast.callbacks.gradients import GradientAccumulation, GradientClip
from minifast.callbacks.lr_finder import LRCurve, lr_find
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.progress import CSVLogger, ProgressCallback
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import OneCycle, ParamScheduler, TorchScheduler
from minifast.callbacks.stopping import EarlyStopping, TerminateOnNaN
from minifast.callbacks.transforms import BatchTransform

if TYPE_CHECKING:
    from collections.abc import Callable

    from minifast.learner import Callback
    from minifast.metrics import Metric

__all__ = [
    "ActivationStats",
    "BatchTransform",
    "CSVLogger",
    "Checkpoint",
    "DeviceCallback",
    "EarlyStopping",
    "GradientAccumulation",
    "GradientClip",
    "LRCurve",
    "MetricsCallback",
    "OneCycle",
    "ParamScheduler",
    "ProgressCallback",
    "Recorder",
    "SingleBatch",
    "TerminateOnNaN",
    "TorchScheduler",
    "Trace",
    "default_cbs",
    "default_device",
    "lr_find",
    "to_device",
]


def default_cbs(
    *metrics: Metric | Callable[..., Any], train: bool = False
) -> list[Callback]:
    """Return what most trainings want: device, records, figures, and to see them.

    Args:
        metrics: For ``MetricsCallback``.
        train: Whether to measure them over the training batches too.

    Example:
        >>> from minifast.metrics import accuracy
        >>> [type(cb).__name__ for cb in default_cbs(accuracy)]
        ['DeviceCallback', 'Recorder', 'MetricsCallback', 'ProgressCallback']

    Book: ch. 11, "Counting without waiting".
    """
    return [
        DeviceCallback(),
        Recorder(),
        MetricsCallback(*metrics, train=train),
        ProgressCallback(),
    ]
