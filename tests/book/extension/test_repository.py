import subprocess
from types import SimpleNamespace

import pytest
from minifast_book import repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def config():
    return SimpleNamespace(
        html_theme_options={}, html_baseurl="", ogp_site_url="", suppress_warnings=[]
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit; calling it gives it an origin."""
    folder = tmp_path / "checkout"
    monkeypatch.setattr(repository, "ROOT", folder)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", folder]
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    return lambda url: subprocess.run(
        [*git, "remote", "add", "origin", url], check=True
    )


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/Someone/my-book",
        "https://github.com/Someone/my-book.git",
        "https://someone:secret@github.com/Someone/my-book.git/",
        "git@github.com:Someone/my-book.git",
        "ssh://git@github.com/Someone/my-book",
    ],
)
def test_a_checkout_knows_its_origin(checkout, origin):
    checkout(origin)
    assert repository.known() == "https://github.com/Someone/my-book"


@pytest.mark.parametrize(
    "origin",
    [
        "https://gitlab.com/someone/my-book.git",
        "https://github.com.example.org/someone/my-book",
        "https://github.com/someone/my-book/tree/main",
        'https://github.com/someone/"; echo; "',
        "../elsewhere",
    ],
)
def test_another_origin_is_none(checkout, origin):
    checkout(origin)
    assert repository.known() == ""


def test_the_name_of_a_build_on_github_comes_first(checkout, monkeypatch):
    checkout("https://github.com/someone/my-book")
    monkeypatch.setenv("GITHUB_REPOSITORY", "Fork/of-it")
    assert repository.known() == "https://github.com/Fork/of-it"
    monkeypatch.setenv("GITHUB_REPOSITORY", "")
    assert repository.known() == ""


def test_a_repository_around_the_folder_is_none(tmp_path, checkout, monkeypatch):
    checkout("https://github.com/someone/my-book")
    monkeypatch.setattr(repository, "ROOT", repository.ROOT / "inside")
    assert repository.known() == repository.install_command() == ""


def test_a_notebook_installs_the_commit_it_was_built_from(checkout, monkeypatch):
    assert repository.install_command() == ""
    checkout("https://github.com/someone/my-book")
    head = repository._git("rev-parse", "HEAD")
    source = "git+https://github.com/someone/my-book"
    command = f'%pip install -q "minifast[viz] @ {source}@{head}"'
    assert repository.install_command() == command
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    assert repository.install_command().endswith(f'@{COMMIT}"')


def test_nothing_is_installed_without_a_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/my-book")
    assert repository.install_command() == ""


def test_a_site_without_a_repository_names_none(checkout, config):
    repository.use_repository(None, config)
    assert config.notfound_urls_prefix == "/"
    assert config.html_theme_options == {}
    assert config.html_baseurl == config.ogp_site_url == ""


def test_a_site_links_to_the_repository_it_is_built_in(config, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/my-book")
    repository.use_repository(None, config)
    options = config.html_theme_options
    assert options["repository_url"] == "https://github.com/Someone/my-book"
    assert options["use_repository_button"]
    assert config.html_baseurl == "https://someone.github.io/my-book/"
    assert config.ogp_site_url == config.html_baseurl
    assert config.notfound_urls_prefix == "/my-book/"


def test_colab_gets_the_notebook_and_other_buttons_stay(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/my-book")
    colab = {"url": "https://colab.research.google.com/github/a/b/blob/main/x.md"}
    issues = {"url": "https://github.com/a/b/issues"}
    context = {"header_buttons": [{"buttons": [colab, issues]}, {"icon": "none"}]}
    repository.point_colab_at_notebook("01-matmul", context)
    assert colab["url"] == (
        "https://colab.research.google.com/github/Someone/my-book/blob/notebooks/"
        "01-matmul.ipynb"
    )
    assert issues["url"] == "https://github.com/a/b/issues"
