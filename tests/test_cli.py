import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from minifast import __version__
from minifast.cli import main
from minifast.datasets import DATASETS, fetch
from minifast.foundations import find_compiler

FILES = {"train.txt": b"a robin\n", "valid.txt": b"a wren\n", "test.txt": b"an owl\n"}


@pytest.fixture(autouse=True)
def standins_from_nothing(monkeypatch):
    """Make stand-ins that take no time, so that no test needs a network."""
    standin = ModuleType("minifast.datasets.standin")
    standin.VERSION = "test"

    def generate(name, root):
        (root / "data.txt").write_text(name)
        return "the set's own name"

    standin.generate = generate
    monkeypatch.setitem(sys.modules, standin.__name__, standin)
    monkeypatch.setenv("MINIFAST_DATA", "standin")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror that holds a tiny wikitext-2; only real data is accepted."""
    root = tmp_path / "mirror"
    root.mkdir()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(f"wikitext-2/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    content = packed.getvalue()
    (root / "w.tgz").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    file = {"path": "w.tgz", "bytes": len(content), "sha256": sha256}
    entry = {"files": [file], "note": "tiny"}
    index = {"version": 1, "datasets": {"wikitext-2": entry}}
    (root / "index.json").write_text(json.dumps(index))
    monkeypatch.setenv("MINIFAST_MIRROR", str(root))
    monkeypatch.setenv("MINIFAST_DATA", "real")
    return root


@pytest.fixture
def run(capsys):
    """Return a function that runs the command: exit code, output, errors."""

    def call(*arguments):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


class TestUsage:
    def test_version(self, run):
        assert run("--version") == (0, f"{__version__}\n", "")

    def test_help_has_examples_and_the_environment(self, run):
        code, out, _ = run("--help")
        assert code == 0
        for word in ("examples:", "minifast data fetch mnist", "MINIFAST_MIRROR"):
            assert word in out

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("data",),
            ("data", "fetch"),
            ("data", "fetch", "--all", "mnist"),
            ("data", "path"),
            ("frobnicate",),
            ("doctor", "--loud"),
        ],
    )
    def test_nonsense_is_told_with_the_usage(self, run, arguments):
        code, out, err = run(*arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("usage: minifast")

    def test_import_is_cheap(self):
        code = "import sys, minifast.cli; print('torch' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("False\n", "")


class TestList:
    def test_one_row_for_each_set(self, run):
        code, out, _ = run("data", "list")
        header, *rows = out.splitlines()
        assert code == 0
        assert header.split() == ["NAME", "WHAT", "SIZE", "LICENCE", "CACHED"]
        assert [row.split()[0] for row in rows] == list(DATASETS)
        assert all(row.endswith(" -") for row in rows)

    def test_what_is_cached(self, run, mirror, monkeypatch):
        data = fetch("wikitext-2")
        monkeypatch.setenv("MINIFAST_DATA", "standin")
        fetch("wikitext-2")
        row = run("data", "list")[1].splitlines()[4]
        assert row.endswith("  real, stand-in")
        (data / "train.txt").unlink()
        row = run("data", "list")[1].splitlines()[4]
        assert row.endswith("  real (damaged), stand-in")


class TestFetch:
    def test_says_what_it_got_and_where_it_is(self, run, mirror):
        code, out, err = run("data", "fetch", "wikitext-2")
        first, second = out.splitlines()
        assert (code, err) == (0, "")
        assert first == repr(fetch("wikitext-2"))
        assert second.strip() == str(fetch("wikitext-2"))

    def test_all(self, run):
        code, out, _ = run("data", "fetch", "--all")
        assert code == 0
        assert [line.split(":")[0] for line in out.splitlines()[::2]] == list(DATASETS)

    def test_failure_is_three_lines_and_no_traceback(self, run, monkeypatch):
        monkeypatch.setenv("MINIFAST_DATA", "rael")
        code, out, err = run("data", "fetch", "mnist")
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            "MINIFAST_DATA must be one of: auto, real, standin.",
            "  got: 'rael'",
            "  fix: Did you mean 'real'?",
        ]

    def test_misspelt_name_is_told_before_anything_is_fetched(self, run, own_cache):
        code, out, err = run("data", "fetch", "wikitext-2", "mnits")
        assert (code, out) == (1, "")
        assert "Did you mean 'mnist'?" in err
        assert not own_cache.exists()

    def test_one_failure_does_not_keep_the_others(self, run, mirror, own_cache):
        (own_cache / "locks" / "mnist.lock").mkdir(parents=True)  # no file can be there
        code, out, err = run("data", "fetch", "mnist", "wikitext-2")
        assert code == 1
        assert out.startswith("wikitext-2: real, mirror")
        assert err.startswith("The cache folder must be writable")

    def test_other_errors_are_not_hidden(self, monkeypatch):
        def fail(name):
            raise ZeroDivisionError

        monkeypatch.setattr("minifast.datasets.fetch", fail)
        with pytest.raises(ZeroDivisionError):
            main(["data", "fetch", "mnist"])

    def test_ctrl_c_is_quiet(self, run, monkeypatch):
        def interrupt(name):
            raise KeyboardInterrupt

        monkeypatch.setattr("minifast.datasets.fetch", interrupt)
        assert run("data", "fetch", "mnist") == (130, "", "")


class TestVerify:
    def test_nothing_cached(self, run):
        assert run("data", "verify") == (0, "Nothing is cached yet.\n", "")

    def test_whole(self, run):
        fetch("mnist")
        fetch("fsdd")
        code, out, _ = run("data", "verify")
        assert code == 0
        assert out.splitlines() == [
            "mnist: every byte is as it should be",
            "fsdd: every byte is as it should be",
        ]

    def test_bad_file_is_named(self, run, mirror):
        data = fetch("wikitext-2")
        (data / "test.txt").write_bytes(b"an awl\n")
        code, out, _ = run("data", "verify", "wikitext-2")
        assert code == 1
        assert out.splitlines() == [
            "real/wikitext-2: test.txt: its content has changed",
            "To replace them: minifast data fetch wikitext-2",
        ]
        assert run("data", "fetch", "wikitext-2")[0] == 0
        assert run("data", "verify")[0] == 0

    def test_set_that_is_not_cached(self, run):
        code, _, err = run("data", "verify", "mnist")
        assert code == 1
        assert err.startswith("The mnist set must be in the cache to be verified.")


class TestPath:
    def test_prints_the_folder_alone(self, run, mirror):
        code, out, err = run("data", "path", "wikitext-2")
        assert (code, err) == (0, "")
        assert Path(out.removesuffix("\n"), "train.txt").read_bytes() == b"a robin\n"

    def test_fallback_is_told_on_standard_error(self, run, monkeypatch):
        monkeypatch.setenv("MINIFAST_DATA", "auto")
        with socket.socket() as probe:  # a port at which nobody answers
            probe.bind(("127.0.0.1", 0))
            nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        dataset = replace(DATASETS["mnist"], origins=(nowhere,))
        monkeypatch.setitem(DATASETS, "mnist", dataset)
        code, out, err = run("data", "path", "mnist")
        assert code == 0
        assert len(out.splitlines()) == 1
        assert err.startswith("minifast: the real mnist set can't be had")


class TestDoctor:
    def test_healthy(self, run, mirror):
        fetch("wikitext-2")
        code, out, err = run("doctor")
        assert (code, err) == (0, "")
        facts = dict(
            line.split(None, 1) for line in out.splitlines() if line[:1] == " "
        )
        assert facts["minifast"] == __version__
        assert facts["mode"] == "real"
        assert facts["mirror"] == f"{mirror}: wikitext-2"
        assert facts["wikitext-2"] == "real"
        assert facts["mnist"] == "not cached"
        assert out.endswith("\nNothing to fix.\n")

    def test_each_fault_is_named_with_its_cure(self, run, mirror, monkeypatch):
        data = fetch("wikitext-2")
        (data / "test.txt").unlink()
        monkeypatch.setenv("MINIFAST_DATA", "fake")
        monkeypatch.setenv("MINIFAST_MIRROR", f"{mirror}|/none")
        code, out, _ = run("doctor")
        assert code == 1
        assert out.partition("To fix:\n")[2] == (
            "  - MINIFAST_DATA must be one of: auto, real, standin. "
            "Unset it, which means auto.\n"
            "  - /none: there is no such folder: "
            "correct MINIFAST_MIRROR or the mirror\n"
            "  - wikitext-2 is damaged: minifast data fetch wikitext-2\n"
        )

    def test_cache_that_can_not_be_written(self, run, own_cache):
        own_cache.write_text("I am a file")
        code, out, _ = run("doctor")
        assert code == 1
        assert f"{own_cache} can't be written to: set MINIFAST_CACHE" in out

    def test_little_room(self, run, monkeypatch):
        monkeypatch.setattr("minifast.cli.MIN_FREE_GB", 1e9)
        code, out, _ = run("doctor")
        assert code == 1
        assert "has little room" in out

    def test_no_compiler_is_no_fault(self, run, monkeypatch):
        monkeypatch.setenv("PATH", "")
        monkeypatch.delenv("CC", raising=False)
        code, out, _ = run("doctor")
        assert code == 0
        assert "no C compiler; chapter 1 goes without its rung in C" in out

    def test_the_compiler_is_the_one_that_chapter_1_uses(self, run, monkeypatch):
        monkeypatch.setenv("CC", f"'{sys.executable}' -c")  # any program will do
        assert run("doctor")[1].count(f"compiler    {find_compiler()}\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows closes pipes in another way")
def test_reader_that_goes_away_early():
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from minifast.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "data", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


class TestOddMachines:
    """Each runs the command in a process of its own."""

    @pytest.fixture
    def command(self, tmp_path, monkeypatch):
        """Return a function that runs the command; None takes a variable away."""

        def run(*arguments, before=(), code="", **environment):
            for name, value in environment.items():
                if value is None:
                    monkeypatch.delenv(name, raising=False)
                else:
                    monkeypatch.setenv(name, value)
            root = str(Path(__file__).parents[1])
            monkeypatch.setenv("PYTHONPATH", root)
            code += "\nimport sys; from minifast.cli import main; sys.exit(main())"
            line = [*before, sys.executable, "-c", code, *arguments]
            return subprocess.run(line, capture_output=True, text=True, cwd="/")

        return run

    nobody = pytest.mark.skipif(
        not hasattr(os, "getuid") or os.getuid() != 0 or not shutil.which("setpriv"),
        reason="needs to become another user",
    )
    AS_NOBODY = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")

    @nobody
    @pytest.mark.parametrize("line", [("data", "list"), ("data", "path", "mnist")])
    def test_without_a_home_the_cache_folder_is_asked_for(self, command, line):
        """As in a container that runs as a user without an entry."""
        done = command(*line, before=self.AS_NOBODY, HOME=None, MINIFAST_CACHE=None)
        assert done.returncode == 1
        assert done.stderr.startswith("There must be a folder to keep data in.\n")
        assert "Set MINIFAST_CACHE to a folder" in done.stderr

    @nobody
    def test_home_that_can_not_be_written_is_told(self, command):
        environment = {"HOME": "/", "MINIFAST_CACHE": None, "XDG_CACHE_HOME": None}
        line = ("data", "path", "mnist")
        done = command(*line, before=self.AS_NOBODY, **environment)
        assert done.returncode == 1
        assert done.stderr.startswith("The cache folder must be writable")

    def test_disk_without_locks(self, command, mirror):
        refuse = (
            "import errno, fcntl\n"
            "def flock(*_): raise OSError(errno.ENOSYS, 'Function not implemented')\n"
            "fcntl.flock = flock\n"
        )
        done = command("data", "fetch", "wikitext-2", code=refuse)
        assert done.stdout.startswith("wikitext-2: real, mirror")

    def test_note_in_a_script_that_the_terminal_does_not_know(self, command, mirror):
        index = json.loads((mirror / "index.json").read_text())
        index["datasets"]["wikitext-2"]["note"] = "kopiert für die 7b"
        (mirror / "index.json").write_text(json.dumps(index))
        done = command("data", "fetch", "wikitext-2", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "kopiert f\\xfcr die 7b" in done.stdout

    def test_mirror_can_not_write_to_the_terminal(self, run, mirror):
        index = json.loads((mirror / "index.json").read_text())
        index["datasets"] |= {"\x1b]0;pwn\x07": index["datasets"]["wikitext-2"]}
        index["datasets"]["wikitext-2"]["note"] = "\x1b[2J"
        (mirror / "index.json").write_text(json.dumps(index))
        for line in (["data", "fetch", "wikitext-2"], ["doctor"], ["data", "list"]):
            _, out, err = run(*line)
            assert (out + err).replace("\n", "").isprintable()
