import errno
import io
import os
import pickle
import resource
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from minifast.errors import DataError, DTypeError
from minifast.learner import files

STATE = {"model": {}, "opt": {}, "scaler": {}}


def saved(state):
    packed = io.BytesIO()
    torch.save(state, packed)
    return packed.getvalue()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Writing


def test_what_is_written_can_be_read(tmp_path):
    state = STATE | {"n": 3, "weights": torch.arange(3.0), "row": [{"loss": 0.5}]}
    files.write(state, tmp_path / "new" / "a.pt")
    again = files.read(tmp_path / "new" / "a.pt")
    assert torch.equal(again.pop("weights"), torch.arange(3.0))
    assert again == STATE | {"n": 3, "row": [{"loss": 0.5}]}
    assert names(tmp_path / "new") == ["a.pt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    with files.replaced(path) as file:
        file.write(b"whole")

    def half():
        with files.replaced(path) as file:
            file.write(b"half a fi")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_can_be_written_by_two_at_once(tmp_path):
    path = tmp_path / "a.txt"
    with files.replaced(path) as one, files.replaced(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"  # the last to end
    assert names(tmp_path) == ["a.txt"]


def test_all_of_it_is_on_the_disk_before_the_old_file_goes(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    seen, fsync = [], os.fsync

    def watched(number):
        seen.append((os.fstat(number).st_size, path.read_bytes()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    with files.replaced(path) as file:
        file.write(b"newer")
    assert seen == [(5, b"old")]


def test_a_full_disk_is_said_as_such(tmp_path):
    path = tmp_path / "a.pt"
    files.write(STATE | {"n": 1}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(
            DataError, match=r"got: .*a\.pt: File too large\n  fix: Make"
        ):
            files.write(STATE | {"big": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files.read(path)["n"] == 1
    assert names(tmp_path) == ["a.pt"]


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    (tmp_path / "a").write_text("no folder")
    for path in (tmp_path / "a" / "b.pt", tmp_path / ("n" * 300)):
        with pytest.raises(DataError, match=r"File exists|Not a directory|too long"):
            files.write(STATE, path)
    assert names(tmp_path) == ["a"]


def test_checksums_are_written_though_torch_is_told_not_to(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        files.write(STATE, tmp_path / "a.pt")
        assert not torch.serialization.get_crc32_options()
    finally:
        torch.serialization.set_crc32_options(True)
    assert files.read(tmp_path / "a.pt") == STATE


# Plain values

Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(2.0), 2.0),
        ({np.int64(1): [np.float64(2)]}, {1: [2.0]}),
        ((0.9, np.float64(0.99)), (0.9, 0.99)),
        (Pair(1, 2), (1, 2)),
        ({1, 2}, {1, 2}),
        (Counter({3: 2}), Counter({3: 2})),
        (torch.Size([2]), torch.Size([2])),
        (torch.float32, torch.float32),
        (b"a", b"a"),
        (2**200, 2**200),
        (None, None),
    ],
)
def test_values_become_plain_and_come_back_from_a_file(tmp_path, value, same):
    files.write(STATE | {"value": value}, tmp_path / "a.pt")
    got = files.read(tmp_path / "a.pt")["value"]
    assert got == same
    assert type(got) is type(same)


def test_tensors_share_their_memory_and_models_keep_their_notes():
    model = nn.BatchNorm1d(2)
    state = files.plain({"model": model.state_dict(), "own": model.weight})
    assert state["own"].data_ptr() == model.weight.data_ptr()
    assert type(state["own"]) is torch.Tensor
    assert not state["own"].requires_grad
    assert isinstance(state["model"], OrderedDict)
    assert state["model"]._metadata == model.state_dict()._metadata


@pytest.mark.parametrize(
    "odd", [len, object(), nn.ReLU(), np.arange(3), {0: range(3)}, np.longdouble(1)]
)
def test_what_is_not_plain_is_refused_by_name_before_anything_is_written(tmp_path, odd):
    files.write(STATE, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    state = STATE | {"callbacks": [("One", {}), ("Two", {"fn": [odd]})]}
    with pytest.raises(DTypeError, match="at callbacks > 1 > Two > fn > 0"):
        files.write(state, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == before


def test_what_holds_itself_is_refused():
    odd = [1]
    odd.append(odd)
    with pytest.raises(DTypeError, match="list of length 2 at a > 1 > 1"):
        files.plain({"a": odd})


# Reading


def test_no_file_and_another_file_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"got: no file .*a\.pt"):
        files.read(tmp_path / "a.pt")
    with pytest.raises(DataError, match="got: no file, but something else, "):
        files.read(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match="got: no file, but something else, "):
        files.read(tmp_path / "fifo")
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "b.pt")
    with pytest.raises(DataError, match="holds something else\n  fix: If these"):
        files.read(tmp_path / "b.pt")


def test_what_torch_has_saved_elsewhere_can_be_read_too(tmp_path):
    torch.save(STATE | {"n": 1}, tmp_path / "a.pt")
    assert files.read(tmp_path / "a.pt")["n"] == 1


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b and type(a) is type(b)


def test_a_flipped_bit_is_noticed_or_does_no_harm(tmp_path):
    """In the data, in headers, in the directory at the end: all of it is sampled."""
    model, path = nn.Linear(3, 2), tmp_path / "a.pt"
    state = STATE | {"model": dict(model.state_dict()), "n": 3}
    files.write(state, path)
    good, right, refused = path.read_bytes(), 0, 0
    # A bit in each entry of the directory says "a folder": torch reads nothing then.
    begins = [i for i in range(len(good)) if good[i : i + 4] == b"PK\x01\x02"]
    for bit in [*range(0, len(good) * 8, 23), *(8 * (i + 38) + 4 for i in begins)]:
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            got = files.read(path)
        except DataError:
            refused += 1
        else:
            assert same(got, state), f"bit {bit}"
            right += 1
    assert refused > right > 0


def damaged_files():
    good = saved(STATE | {"a": torch.arange(300.0)})
    big, source = io.BytesIO(), zipfile.ZipFile(io.BytesIO(good))
    with zipfile.ZipFile(big, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in source.namelist():
            tensor = name.endswith("data/0")
            bomb.writestr(name, bytes(10**7) if tensor else source.read(name))
    other = saved(STATE | {"a": torch.zeros(300)})
    yield from (good[: len(good) * k // 10] for k in range(10))
    yield good[:-1]
    yield good[:900] + bytes(512) + good[1412:]
    yield good[:900] + bytes(512) + good[1412:] + other  # the last one is whole
    yield b"<html>"
    yield bytes(10_000)
    yield b"PK\x05\x06" + bytes(18)
    yield pickle.dumps(STATE)
    yield big.getvalue()


@pytest.mark.parametrize(
    "content", list(damaged_files()), ids=lambda c: f"{len(c)} bytes"
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pt, .*\n  fix: Write it again") as caught:
        files.read(tmp_path / "a.pt")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


class Evil:
    def __reduce__(self):
        return eval, ("1/0",)


@pytest.mark.parametrize("state", [STATE | {"evil": Evil()}, Evil(), nn.ReLU()])
def test_code_in_a_file_is_not_run_nor_is_it_advised(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        DataError, match=r"no code was run\n  fix: Don't trust"
    ) as caught:
        files.read(tmp_path / "a.pt")
    assert "weights_only" not in str(caught.value)
    assert caught.value.__suppress_context__  # torch's text is not shown


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    files.write(STATE, tmp_path / "a.pt")

    def refuse(*args):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(zipfile, "is_zipfile", refuse)
    with pytest.raises(DataError, match=r"a\.pt: Permission denied"):
        files.read(tmp_path / "a.pt")


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    files.write(STATE | {"n": 1}, path)
    code = (
        "import os, signal, sys\n"
        "from minifast.learner.files import replaced\n"
        "with replaced(sys.argv[1]) as file:\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
    assert done.returncode == -9
    assert files.read(path)["n"] == 1
