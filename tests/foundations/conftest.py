import pytest
import torch


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def double():
    """Random float64 tensors, on which a derivative can be checked to many digits."""
    return lambda *shape: torch.randn(shape, dtype=torch.float64)
