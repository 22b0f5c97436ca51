"""Parts of neural networks: initialization, layers, norms, and a look inside by hooks.

Book: ch. 04, 05 and 13 to 17.
"""

from minifast.nn.hooks import Hook, Hooks, find_modules
from minifast.nn.init import (
    calculate_gain,
    fan_in_and_fan_out,
    init_model,
    kaiming_normal_,
    kaiming_uniform_,
    lecun_normal_,
    measured_gain,
    orthogonal_,
    xavier_normal_,
    xavier_uniform_,
)
from minifast.nn.inspection import LayerSummary, Summary, summary
from minifast.nn.layer_norm import LayerNorm
from minifast.nn.layers import (
    AdaptiveAvgPool,
    AdaptiveConcatPool,
    ConvBlock,
    Flatten,
    GeneralReLU,
    Lambda,
    adaptive_pool,
    conv_block,
    is_activation,
)
from minifast.nn.norm_kinds import convert_norms, is_norm, make_norm
from minifast.nn.norms import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    RunningBatchNorm,
)

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveConcatPool",
    "BatchNorm",
    "ConvBlock",
    "Flatten",
    "GeneralReLU",
    "GroupNorm",
    "Hook",
    "Hooks",
    "InstanceNorm",
    "Lambda",
    "LayerNorm",
    "LayerSummary",
    "RunningBatchNorm",
    "Summary",
    "adaptive_pool",
    "calculate_gain",
    "conv_block",
    "convert_norms",
    "fan_in_and_fan_out",
    "find_modules",
    "init_model",
    "is_activation",
    "is_norm",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "make_norm",
    "measured_gain",
    "orthogonal_",
    "summary",
    "xavier_normal_",
    "xavier_uniform_",
]
