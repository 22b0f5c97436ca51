"""What an install without extras can do: all but draw, and that it says."""

import os
import subprocess
import sys
import tomllib

import pytest

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"matplotlib", "cycler"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def run(code, tmp_path, root, **environment):
    here = {"PYTHONPATH": str(root), "MINIFAST_CACHE": str(tmp_path), **environment}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code],
        capture_output=True,
        text=True,
        env=os.environ | here,
    )


def test_every_other_module_is_imported(sources, tmp_path, root):
    names = [s.name for s in sources if not s.name.startswith("minifast.viz")]
    ran = run("\n".join(f"import {name}" for name in names), tmp_path, root)
    assert ran.returncode == 0, ran.stderr
    assert len(names) > 60


TRAIN = """
import torch
from minifast import DataLoaders, Learner, OneCycle, accuracy, cross_entropy
from minifast import default_cbs, lr_find

x, y = torch.randn(64, 3), torch.arange(64) % 2
dls = DataLoaders.from_tensors((x, y), (x, y), batch_size=8)
learn = Learner(torch.nn.Linear(3, 2), dls, cross_entropy, cbs=default_cbs(accuracy))
learn.fit(2, cbs=[OneCycle(0.1)])
lr_find(learn, n_steps=10)
print(learn.validate(), learn.predict(x).shape)
"""


def test_a_model_is_trained(tmp_path, root):
    ran = run(TRAIN, tmp_path, root)
    assert ran.returncode == 0, ran.stderr
    assert "torch.Size([64, 2])" in ran.stdout


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import minifast.viz",
            [
                "MissingPackageError: minifast.viz must have matplotlib to draw with.",
                "  got: No module named 'matplotlib'",
                "  fix: pip install matplotlib; it is the extra viz of minifast.",
            ],
        ),
        (
            "from minifast.datasets.mnist import load_mnist; load_mnist()",
            [
                "The stand-in digits need the font files that matplotlib ships.",
                "no matplotlib",
                "pip install matplotlib (the extra viz of minifast)",
            ],
        ),
    ],
)
def test_what_needs_it_says_so(tmp_path, root, code, words):
    ran = run(code, tmp_path, root, MINIFAST_DATA="standin")
    assert ran.returncode == 1
    assert all(each in ran.stderr for each in words), ran.stderr


def test_the_extra_is_what_the_book_installs_too(root):
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    (needed,) = project["optional-dependencies"]["viz"]
    assert needed.startswith("matplotlib")
    listed = (root / "requirements" / "book.in").read_text(encoding="utf-8")
    everything = [*project["dependencies"], needed]
    names = {line.split("=")[0].rstrip(">") for line in listed.splitlines()}
    assert {each.split(">")[0] for each in everything} <= names
