import pytest
import torch

from minifast.metrics.dtype import widest_float


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("cpu", torch.float64), ("cuda:1", torch.float64), ("mps", torch.float32)],
)
def test_sums_are_kept_in_the_widest_dtype_of_the_device(device, dtype):
    assert widest_float(torch.device(device)) is dtype
