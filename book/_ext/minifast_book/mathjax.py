"""Copy the part of MathJax that the site needs, so that no page asks another host.

The files are those of the package ``sphinx-mathjax-offline``, which as an extension
would copy all of its 24 MB. Needed are one script, its fonts, and the TeX extensions
that it loads when a formula uses them.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

PACKAGE = "sphinx-mathjax-offline"
NEEDED = (
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2/*.woff",
    "input/tex/extensions/[!a]*.js",
    "input/tex/extensions/a[!l]*.js",  # but not all-packages.js
)


def copy_files(site: str | Path) -> None:
    """Put them where ``mathjax_path`` in the configuration points."""
    source = _folder()
    target = Path(site, "_static", "mathjax")
    for pattern in NEEDED:
        for file in source.glob(pattern):
            copy = target / file.relative_to(source)
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)


def leave_out(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Keep the script off a page without formulas.

    Sphinx also loads it where pages listed in the table of contents have some.
    """
    has_equations = app.env.domaindata["math"]["has_equations"]
    if not has_equations.get(pagename, False):
        path = Path(app.config.mathjax_path).name
        context["script_files"] = [
            script
            for script in context["script_files"]
            if Path(str(script.filename)).name != path
        ]


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ExtensionError(f"{PACKAGE} is not installed; it is in the lock file.")
    return Path(spec.origin).parent / "static" / "mathjax"
