"""What make says to a newcomer: the targets, and why it can't start."""

import os
import shutil
import subprocess

import pytest
from chapter_lint import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")

TARGETS = [
    "book",
    "chapter",
    "serve",
    "links",
    "bench",
    "test",
    "test-site",
    "check",
    "lock",
    "clean",
]


def make(*arguments):
    outside = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=outside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def test_make_alone_lists_the_targets():
    returncode, output = make()
    assert returncode == 0
    assert [name for name in TARGETS if f"make {name} " not in output] == []


@pytest.mark.parametrize("setting", ["SCALE=huge", "DATA=some"])
def test_a_wrong_setting_is_told_before_anything_happens(setting):
    returncode, output = make("valid", setting)
    assert returncode != 0
    name, value = setting.split("=")
    assert f"{name} must be" in output
    assert f"not '{value}'" in output


@pytest.fixture
def set_up(tmp_path):
    """Set up an environment with a Python that is not what it should be."""

    def run(script):
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        venv = tmp_path / "venv"
        return make(f"VENV={venv}", f"PYTHON={python}", f"{venv}/bin/python")

    return run


def test_an_old_python_is_told(set_up):
    returncode, output = set_up(
        'case "$*" in *version_info*) exit 1;; *) echo Python 3.9.2;; esac'
    )
    assert returncode != 0
    assert "Python 3.11 or newer is needed" in output
    assert "is Python 3.9.2" in output
    assert "make book PYTHON=python3.12" in output


def test_a_python_without_venv_is_told(set_up):
    returncode, output = set_up('case "$*" in *ensurepip*) exit 1;; esac')
    assert returncode != 0
    assert "apt install python3-venv" in output


def test_a_missing_python_is_told(tmp_path):
    returncode, output = make(
        f"{tmp_path}/bin/python", f"VENV={tmp_path}", "PYTHON=pyx"
    )
    assert returncode != 0
    assert "There is no program 'pyx'" in output


def test_a_missing_browser_is_told_before_the_book_is_built(tmp_path):
    returncode, output = make(
        "test-site", f"VENV={tmp_path}/venv", "CHROMIUM=/no/browser"
    )
    assert returncode != 0
    assert "CHROMIUM=/no/browser is no program" in output
    assert not (tmp_path / "venv").exists()


def test_the_locks_pin_every_package_once_and_name_no_place():
    lines = []
    for name in ("book", "test"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        lines += [line for line in text.splitlines() if not line.startswith("#")]
    names = [line.split("==")[0].lower() for line in lines]
    assert all(len(line.split("==")) == 2 and "+" not in line for line in lines)
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in lines
