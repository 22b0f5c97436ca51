"""The address of the repository, told once, and what follows from it.

``_config.yml`` names it; a fork's build on GitHub names its own in the environment
variable ``GITHUB_REPOSITORY``, so that a fork's site links to the fork.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

COLAB = "https://colab.research.google.com/github"
BRANCH = "notebooks"  # where the publishing workflow puts the executed notebooks


def use_repository(app: Sphinx, config: Config) -> None:
    """Point everything that names the repository or the site at the right one."""
    name = os.environ.get("GITHUB_REPOSITORY")
    if name:
        owner, project = name.split("/")
        config.html_theme_options["repository_url"] = f"https://github.com/{name}"
        config.html_baseurl = f"https://{owner.lower()}.github.io/{project}/"
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path


def repository_url(config: Config) -> str:
    """Return the address of the repository."""
    return str(config.html_theme_options["repository_url"]).rstrip("/")


def point_colab_at_notebook(
    config: Config, pagename: str, context: dict[str, Any]
) -> None:
    """Make the Colab button open the executed notebook.

    The theme would link to the Markdown source, which Colab can't open.
    """
    owner_and_name = urlsplit(repository_url(config)).path
    notebook = f"{COLAB}{owner_and_name}/blob/{BRANCH}/{pagename}.ipynb"
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if str(button.get("url", "")).startswith(COLAB):
                button["url"] = notebook
