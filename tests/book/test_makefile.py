"""What make says to a newcomer: the targets, and why it can't start."""

import os
import shutil
import subprocess
import sys

import pytest
from chapter_lint import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")

TARGETS = [
    "book",
    "chapter",
    "diff",
    "serve",
    "pdf",
    "links",
    "bench",
    "test",
    "test-site",
    "check",
    "lock",
    "clean",
]


def make(*arguments, cwd=ROOT):
    outside = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        ["make", *arguments],
        cwd=cwd,
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


@pytest.mark.parametrize(
    "setting", ["SCALE=huge", "DATA=some", "PORT=x", "PORT=123456"]
)
def test_a_wrong_setting_is_told_before_anything_happens(setting):
    returncode, output = make("valid", setting)
    assert returncode != 0
    name, value = setting.split("=")
    assert f"{name} must be" in output
    assert f"not '{value}'" in output


HOSTILE = [
    "$(shell touch {})",
    "`touch {}`",
    "';touch {};'",
    '";touch {};"',
    "$$(touch {})",
]


@pytest.mark.parametrize("name", ["SCALE", "DATA", "PORT", "CH", "CHROMIUM"])
@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_setting_says_is_never_run(desk, tmp_path, name, text):
    """From a file, a link or a workflow's input it may be anybody's."""
    ran = tmp_path / "ran"
    target = {"CH": "chapter", "CHROMIUM": "browser"}.get(name, "valid")
    returncode, output = make(target, f"{name}={text.format(ran)}", cwd=desk)
    assert returncode != 0
    assert not ran.exists(), output


@pytest.fixture
def desk(tmp_path):
    """Return a folder with the Makefile, some chapters, and tools that only talk."""
    desk = tmp_path / "a desk"
    for page in ("01-matmul", "07-loop", "10-statistics", "appendix/notation", "intro"):
        file = desk / "book" / f"{page}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    shutil.copy(ROOT / "Makefile", desk)
    tools = desk / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(sys.executable)
    (tools / "jupyter-book").write_text(
        f"""#!/bin/sh
# {tools}/python is what the real one begins with
while [ $# -gt 1 ]; do [ "$1" = --toc ] && cat "$2"; echo "$1"; shift; done
"""
    )
    (tools / "jupyter-book").chmod(0o755)
    for name in ("requirements/book.txt", "pyproject.toml", ".venv/.book"):
        (desk / name).parent.mkdir(exist_ok=True)
        (desk / name).touch()
    return desk


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("1", "01-matmul"),
        ("01", "01-matmul"),
        ("07", "07-loop"),
        ("10", "10-statistics"),
        ("07-loop", "07-loop"),
        ("intro", "intro"),
        ("appendix/notation", "appendix/notation"),
    ],
)
def test_a_chapter_is_named_by_its_number_or_its_file(desk, asked, page):
    returncode, output = make("chapter", f"CH={asked}", cwd=desk)
    assert returncode == 0, output
    assert f"- file: {page}\n" in output
    assert f"The page: _build/chapter/_build/html/{page}.html" in output
    assert "-W" in output.split()  # what make book refuses is refused here


@pytest.mark.parametrize("asked", [None, "", "3", "08", "1 7", "../x", "x" * 300])
def test_a_chapter_that_is_not_there_is_told_before_anything_is_set_up(desk, asked):
    shutil.rmtree(desk / ".venv")
    settings = [] if asked is None else [f"CH={asked}"]
    returncode, output = make("chapter", *settings, cwd=desk)
    assert returncode != 0
    assert f"There is no chapter '{asked or ''}'." in output
    assert "  07-loop" in output.splitlines()
    assert not (desk / ".venv").exists()


def test_a_moved_environment_is_told(desk):
    moved = desk.rename(desk.with_name("elsewhere"))
    for target in ("book", "chapter", "check"):
        returncode, output = make(target, "CH=1", cwd=moved)
        assert returncode != 0
        assert ".venv was made at another place" in output
        assert "rm -r .venv" in output


def test_there_is_nothing_to_compare_before_two_builds(desk):
    returncode, output = make("diff", cwd=desk)
    assert returncode != 0
    assert "There are no two builds to compare yet" in output


def test_another_python_than_that_of_the_environment_is_told(desk):
    other = desk / "python"
    other.write_text("#!/bin/sh\necho Python 3.99.1\n")
    other.chmod(0o755)
    returncode, output = make("valid", f"PYTHON={other.as_posix()!r}", cwd=desk)
    assert returncode == 0
    assert "stays in use, although" in output
    assert "is Python 3.99.1" in output


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
