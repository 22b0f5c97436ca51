"""The repository that a site may name: the one it is built in, or none.

On GitHub, ``GITHUB_REPOSITORY`` says which that is; elsewhere, the checkout's own
``origin`` does. No name stands in a file: it would be wrong in every fork, and readers
run what notebooks install from there.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from minifast_book.fingerprint import ROOT

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

COLAB = "https://colab.research.google.com"
BRANCH = "notebooks"  # where the publishing workflow puts the executed notebooks
NAME = re.compile(r"[\w-]+/[\w.-]+")
GITHUB = re.compile(
    r"(?:https://(?:[^/@]*@)?github\.com/|(?:ssh://)?git@github\.com[:/])"
    r"(?P<name>[^/]+/[^/]+?)(?:\.git)?/?"
)


def known() -> str:
    """Return the address of the repository, or an empty string if there is none."""
    remote = GITHUB.fullmatch(_git("config", "--get", "remote.origin.url"))
    own = remote["name"] if remote else ""
    name = os.environ.get("GITHUB_REPOSITORY", own)  # set to nothing, it means none
    return f"https://github.com/{name}" if NAME.fullmatch(name) else ""


def install_command() -> str:
    """Return the first line of a notebook, which installs the commit it was built from.

    Empty if there is no repository, or no commit: nothing is installed from a place or
    in a state that nobody has vouched for.
    """
    url, commit = known(), os.environ.get("GITHUB_SHA") or _git("rev-parse", "HEAD")
    if not (url and re.fullmatch(r"[0-9a-f]{7,64}", commit)):
        return ""
    return f'%pip install -q "minifast[viz] @ git+{url}@{commit}"'


def use_repository(app: Sphinx, config: Config) -> None:
    """Give the theme its buttons and the site its address, if both are known."""
    url = known()
    if not url:
        # Without an address there is no map of the site, which is no fault.
        config.suppress_warnings += ["sitemap.configuration"]
        config.notfound_urls_prefix = "/"  # where make serve has the site
        return
    owner, project = urlsplit(url).path.strip("/").split("/")
    config.html_theme_options |= {
        "repository_url": url,
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {"colab_url": COLAB},
    }
    config.html_baseurl = f"https://{owner.lower()}.github.io/{project}/"
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path


def point_colab_at_notebook(pagename: str, context: dict[str, Any]) -> None:
    """Make the Colab button open the executed notebook.

    The theme would link to the Markdown source, which Colab can't open.
    """
    name = urlsplit(known()).path
    notebook = f"{COLAB}/github{name}/blob/{BRANCH}/{pagename}.ipynb"
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if str(button.get("url", "")).startswith(COLAB):
                button["url"] = notebook


def _git(*arguments: str) -> str:
    """Ask the checkout itself; a folder around it may belong to somebody else."""
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
