"""The dtype that sums are kept in.

Book: ch. 10.
"""

import torch


def widest_float(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on Apple's GPUs, which have nothing wider.

    Ten thousand small numbers added to a large float32 are mostly rounded away.
    """
    return torch.float32 if device.type == "mps" else torch.float64
