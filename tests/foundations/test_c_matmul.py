import shutil
import stat

import pytest
import torch

from minifast.errors import DeviceError, DTypeError, MinifastError, OptionError
from minifast.foundations import c_matmul
from minifast.foundations.c_matmul import find_compiler, matmul_c

needs_compiler = pytest.mark.skipif(
    find_compiler() is None, reason="this machine has no C compiler"
)


@pytest.fixture
def uncompiled():
    """Let the test's first call compile, and the next test's too."""
    c_matmul._compiled.cache_clear()
    yield
    c_matmul._compiled.cache_clear()


@pytest.fixture
def bare_path(monkeypatch, tmp_path):
    """An environment that names no compiler: an empty PATH, and no CC."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


def program(folder, name, script="exit 0"):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@needs_compiler
@pytest.mark.parametrize(
    "sizes", [(2, 3, 4), (1, 1, 1), (5, 784, 10), (3, 0, 2), (0, 3, 2), (2, 3, 0)]
)
def test_c_agrees_with_torch(sizes):
    n, k, m = sizes
    a, b = torch.randn(n, k), torch.randn(k, m)
    torch.testing.assert_close(matmul_c(a, b), a @ b, rtol=1e-4, atol=1e-4)


@needs_compiler
def test_matrices_need_not_lie_row_after_row():
    a, b = torch.randn(3, 2).T, torch.randn(4, 6)[:3, ::2]
    torch.testing.assert_close(matmul_c(a, b), a @ b)


@needs_compiler
def test_it_compiles_once_and_leaves_no_file(uncompiled, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    runs = []
    run = c_matmul.subprocess.run

    def counted(*args, **kwargs):
        runs.append(args)
        return run(*args, **kwargs)

    monkeypatch.setattr(c_matmul.subprocess, "run", counted)
    for _ in range(2):
        assert matmul_c(torch.ones(1, 2), torch.ones(2, 1)).item() == 2
    assert len(runs) == 1
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_the_compiler_in_cc_may_have_options(uncompiled, monkeypatch):
    monkeypatch.setenv("CC", f"{find_compiler()} -O1")
    assert matmul_c(torch.ones(1, 2), torch.ones(2, 1)).item() == 2


@needs_compiler
def test_tensors_that_require_gradients_are_taken_where_none_are_recorded():
    a = torch.ones(1, 2, requires_grad=True)
    with torch.no_grad():
        assert matmul_c(a, a.T).item() == 2


def test_the_first_compiler_on_the_path_is_found(bare_path):
    assert find_compiler() is None
    program(bare_path, "clang")
    assert find_compiler() == str(bare_path / "clang")
    program(bare_path, "cc")
    assert find_compiler() == str(bare_path / "cc")


def test_cc_names_the_compiler(bare_path, monkeypatch):
    program(bare_path, "cc")
    program(bare_path, "mycc")
    monkeypatch.setenv("CC", "mycc -g")
    assert find_compiler() == "mycc -g"
    monkeypatch.setenv("CC", "not-there")
    assert find_compiler() is None


def test_a_folder_with_a_space_is_no_obstacle(bare_path, monkeypatch):
    folder = bare_path / "my tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program(folder, "gcc")
    assert find_compiler() == f"'{folder / 'gcc'}'"


def test_without_a_compiler_the_error_names_the_package(uncompiled, bare_path):
    with pytest.raises(MinifastError) as caught:
        matmul_c(torch.ones(1, 1), torch.ones(1, 1))
    assert str(caught.value) == (
        "The rung in C needs a C compiler on this machine.\n"
        "  got: no cc, gcc or clang on PATH, CC=''\n"
        "  fix: Install the package gcc (Linux) or run xcode-select --install (macOS)."
    )


@pytest.mark.skipif(shutil.which("sh") is None, reason="the fake compiler needs sh")
def test_a_compiler_that_fails_is_quoted(uncompiled, bare_path):
    program(bare_path, "cc", "echo 'matmul.c: no room' >&2; exit 3")
    with pytest.raises(MinifastError) as caught:
        matmul_c(torch.ones(1, 1), torch.ones(1, 1))
    must, got, fix = str(caught.value).split("\n")
    assert must == "The C compiler must compile and link the rung in C."
    assert got.startswith(f"  got: {bare_path / 'cc'} -O2 -shared")
    assert got.endswith("said: matmul.c: no room")
    assert fix == "  fix: Repair the compiler, or name another one: CC=clang."


@pytest.mark.parametrize(
    ("matrix", "kind", "message"),
    [
        (
            torch.ones(2, 2, dtype=torch.int64),
            DTypeError,
            (
                "The rung in C takes float32 only.\n"
                "  got: tensor (2, 2) int64 on cpu\n"
                "  fix: Use a.float() and b.float()."
            ),
        ),
        (
            torch.ones(2, 2, device="meta"),
            DeviceError,
            (
                "The rung in C needs its matrices on the CPU.\n"
                "  got: tensor (2, 2) float32 on meta\n"
                "  fix: Use a.cpu() and b.cpu()."
            ),
        ),
        (
            torch.ones(2, 2, requires_grad=True),
            OptionError,
            (
                "The rung in C takes no matrices that require gradients.\n"
                "  got: requires_grad=True\n"
                "  fix: Use a.detach() and b.detach(), or torch.no_grad()."
            ),
        ),
    ],
)
def test_what_c_cannot_multiply_is_refused(matrix, kind, message):
    with pytest.raises(kind) as caught:
        matmul_c(matrix, matrix)
    assert str(caught.value) == message
