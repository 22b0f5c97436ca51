from types import SimpleNamespace

import pytest
from minifast_book import repository


@pytest.fixture
def config():
    return SimpleNamespace(
        html_theme_options={"repository_url": "https://github.com/minifast/minifast"},
        html_baseurl="https://minifast.github.io/minifast/",
    )


def test_the_configuration_names_the_repository(config):
    repository.use_repository(None, config)
    assert repository.repository_url(config) == "https://github.com/minifast/minifast"
    assert config.notfound_urls_prefix == "/minifast/"
    assert config.ogp_site_url == "https://minifast.github.io/minifast/"


def test_the_site_of_a_fork_links_to_the_fork(config, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/my-book")
    repository.use_repository(None, config)
    assert repository.repository_url(config) == "https://github.com/Someone/my-book"
    assert config.html_baseurl == "https://someone.github.io/my-book/"
    assert config.notfound_urls_prefix == "/my-book/"


def test_colab_gets_the_notebook_and_other_buttons_stay(config):
    colab = {"url": "https://colab.research.google.com/github/a/b/blob/main/x.md"}
    issues = {"url": "https://github.com/a/b/issues"}
    context = {"header_buttons": [{"buttons": [colab, issues]}, {"icon": "none"}]}
    repository.point_colab_at_notebook(config, "01-matmul", context)
    assert colab["url"] == (
        "https://colab.research.google.com/github/minifast/minifast/blob/notebooks/"
        "01-matmul.ipynb"
    )
    assert issues["url"] == "https://github.com/a/b/issues"
