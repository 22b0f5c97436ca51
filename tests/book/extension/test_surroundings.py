import os
import subprocess
import sys
from pathlib import Path

from minifast_book import surroundings


def test_no_ones_own_profile_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", "/home/someone/.ipython")
    monkeypatch.setenv("MPLBACKEND", "agg")
    surroundings.settle(tmp_path)
    profile = Path(os.environ["IPYTHONDIR"], "profile_default")
    assert (profile / "ipython_kernel_config.py").exists()
    assert tmp_path in profile.parents
    assert "MPLBACKEND" not in os.environ


def test_no_ones_own_settings_and_kernels_are_used(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\n")
    for name in ("MATPLOTLIBRC", "MPLCONFIGDIR", "JUPYTER_PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    surroundings.settle(tmp_path / "build")
    told = "import matplotlib; print(matplotlib.matplotlib_fname())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)
    assert done.stdout.strip().endswith("mpl-data/matplotlibrc")
    assert "JUPYTER_PATH" not in os.environ


def test_folders_mean_the_same_to_a_chapter_as_to_its_reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIFAST_CACHE", "data")
    monkeypatch.setenv("MINIFAST_MIRROR", " mirror | https://example.org/data ")
    surroundings.settle(tmp_path)
    assert os.environ["MINIFAST_CACHE"] == str(tmp_path / "data")
    mirrors = os.environ["MINIFAST_MIRROR"].split("|")
    assert mirrors == [str(tmp_path / "mirror"), "https://example.org/data"]
