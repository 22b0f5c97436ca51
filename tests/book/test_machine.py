import sys
from types import SimpleNamespace

import pytest
import torch

import minifast
from minifast.book import (
    cpu_name,
    environment,
    gpu_name,
    in_notebook,
    machine,
    wait_for_gpu,
)


def test_the_environment_names_machine_and_versions():
    about = environment()
    assert about["torch"] == torch.__version__
    assert about["minifast"] == minifast.__version__
    assert about["threads"] == str(torch.get_num_threads())
    assert all(isinstance(text, str) and text for text in about.values())


def test_an_extra_that_is_not_installed_is_told_as_such(monkeypatch):
    def version(name):
        if name == "matplotlib":
            raise machine.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(machine.metadata, "version", version)
    about = environment()
    assert (about["matplotlib"], about["numpy"]) == ("not installed", "1.0")


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (None, False),  # IPython is loaded, as by a library, but does not run
        (SimpleNamespace(), False),  # in a terminal
        (SimpleNamespace(kernel=None), False),
        (SimpleNamespace(kernel=object()), True),
    ],
)
def test_a_notebook_is_where_ipython_has_a_kernel(monkeypatch, shell, expected):
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert in_notebook() is expected


def test_without_ipython_there_is_no_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert in_notebook() is False


@pytest.mark.parametrize(
    ("content", "processor", "name"),
    [
        ("processor\t: 0\nmodel name\t: Fast: 3\n", "x86", "Fast: 3"),
        ("processor\t: 0\n", "", "arm64"),  # as on many ARM machines
        ("", "Intel", "Intel"),
        (None, "", "arm64"),  # no such file
    ],
)
def test_the_processor_is_named_as_well_as_can_be(
    monkeypatch, content, processor, name
):
    def read_text(self, **kwargs):
        if content is None:
            raise FileNotFoundError(self)
        return content

    monkeypatch.setattr(machine.Path, "read_text", read_text)
    fake = SimpleNamespace(processor=lambda: processor, machine=lambda: "arm64")
    monkeypatch.setattr(machine, "platform", fake)
    assert cpu_name() == name


def fake_torch(monkeypatch, cuda, initialized=True, accelerator=True):
    """Put a torch with such a GPU in place; return the list of what is asked of it."""
    calls = []
    kind = SimpleNamespace(type="cuda" if cuda else "mps") if accelerator else None
    fake = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: cuda,
            is_initialized=lambda: initialized,
            get_device_name=lambda: "Big GPU",
        ),
        accelerator=SimpleNamespace(
            is_available=lambda: accelerator,
            current_accelerator=lambda check_available: kind,
            synchronize=lambda: calls.append("wait"),
        ),
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    return calls


@pytest.mark.parametrize(
    ("cuda", "accelerator", "name"),
    [(True, True, "Big GPU"), (False, True, "MPS accelerator"), (False, False, "")],
)
def test_the_gpu_is_named(monkeypatch, cuda, accelerator, name):
    fake_torch(monkeypatch, cuda, accelerator=accelerator)
    assert gpu_name() == name


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"cuda": True}, ["wait"]),
        ({"cuda": True, "initialized": False}, []),  # nobody has used it yet
        ({"cuda": False}, ["wait"]),  # an Apple GPU, say
        ({"cuda": False, "accelerator": False}, []),
    ],
)
def test_a_gpu_is_waited_for_if_it_is_in_use(monkeypatch, options, calls):
    waited = fake_torch(monkeypatch, **options)
    wait_for_gpu()
    assert waited == calls


def test_waiting_does_not_import_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    wait_for_gpu()
