"""Parts of neural networks: the initialization of their weights.

Book: ch. 04 and 05.
"""

from minifast.nn.init import (
    calculate_gain,
    fan_in_and_fan_out,
    kaiming_normal_,
    kaiming_uniform_,
    lecun_normal_,
    orthogonal_,
    xavier_normal_,
    xavier_uniform_,
)

__all__ = [
    "calculate_gain",
    "fan_in_and_fan_out",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "orthogonal_",
    "xavier_normal_",
    "xavier_uniform_",
]
