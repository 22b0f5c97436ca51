"""What every test gets: a seed, a cache folder of its own, and no network."""

import random
import socket
from ipaddress import ip_address

import pytest
import torch
from torch import nn

from minifast.data import DataLoaders
from minifast.learner import Learner


@pytest.fixture(autouse=True)
def seeded():
    random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep the user's cache, mirrors and data mode out of the test."""
    monkeypatch.setenv("MINIFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIFAST_MIRROR", raising=False)
    monkeypatch.delenv("MINIFAST_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let the test open connections to this machine only; any other fails it."""
    refused = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse_foreign(address[0])
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        refuse_foreign(host)
        return look_up(host, *args, **kwargs)

    def refuse_foreign(host):
        if not is_loopback(host):
            refused.append(host)
            raise ConnectionRefusedError(f"a test may not connect to {host!r}")

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    # Checked here too, because the code under test may well handle the refusal.
    assert not refused, f"the test tried to connect to {refused}"


def is_loopback(host):
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture
def make_learner():
    """Return what makes a small Learner: regression, batches of 4 in lists."""

    def make(*cbs, n_train=3, n_valid=2, opt=torch.optim.SGD, lr=0.1, kind=Learner):
        generator = torch.Generator().manual_seed(0)

        def batches(n):
            x = torch.randn(n, 4, 3, generator=generator)
            return [(row, row.sum(1, keepdim=True)) for row in x]

        model = nn.Linear(3, 1)
        with torch.no_grad():
            model.weight.fill_(0.1)
            model.bias.fill_(0.0)
        dls = DataLoaders(batches(n_train), batches(n_valid) if n_valid else None)
        return kind(model, dls, nn.functional.mse_loss, opt, lr=lr, cbs=cbs)

    return make
