"""Optimizers, the hyper-parameters of their groups, and schedules.

Book: ch. 07 and 12.
"""

from minifast.optim.groups import (
    get_hyper,
    get_hypers,
    group_lrs,
    set_hyper,
    set_hypers,
    set_lrs,
)
from minifast.optim.optimizers import SGD
from minifast.optim.schedules import (
    Ramp,
    Schedule,
    combine,
    constant,
    cosine,
    exponential,
    linear,
    one_cycle,
    one_cycle_momentum,
    sample,
)

__all__ = [
    "SGD",
    "Ramp",
    "Schedule",
    "combine",
    "constant",
    "cosine",
    "exponential",
    "get_hyper",
    "get_hypers",
    "group_lrs",
    "linear",
    "one_cycle",
    "one_cycle_momentum",
    "sample",
    "set_hyper",
    "set_hypers",
    "set_lrs",
]
