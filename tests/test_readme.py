"""The example in the README runs as it stands there."""

import re
from pathlib import Path

import torch

from minifast.datasets import mnist

ROOT = Path(__file__).parents[1]


def test_the_example_trains_and_saves(tmp_path, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    images, labels = torch.rand(100, 1, 28, 28), torch.arange(100) % 10
    many = images.repeat(520, 1, 1, 1), labels.repeat(520)  # as many as it cuts off
    digits = mnist.MNIST(*many, images, labels, mean=0.0, std=1.0, data=None)
    monkeypatch.setattr(mnist, "load_mnist", lambda: digits)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example, names)
    assert (tmp_path / "digits.pt").is_file()
    assert [row["epoch"] for row in names["learn"].history] == [0, 1, 2]
    assert "'accuracy':" in capsys.readouterr().out
