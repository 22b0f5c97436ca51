"""Give the content of exercises and solutions a plain container, and find strays.

sphinx-exercise wraps it in a section without a title, always under the same id. That
breaks sphinx-codeautolink, which expects a title in each section, and leaves several
elements of one id on a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

CONTENT_IDS = {"exercise-content", "solution-content"}


def unnest_sections(app: Sphinx, doctree: nodes.document) -> None:
    """Replace those sections, as soon as a page is read."""
    for section in list(doctree.findall(nodes.section)):
        if CONTENT_IDS.isdisjoint(section["ids"]):
            continue
        content = nodes.container(classes=["exercise-content"])
        content += section.children
        section.parent.replace(section, content)


def find_strays(env: BuildEnvironment, name: str) -> Iterator[str]:
    """Yield the solutions on a page that are of no exercise.

    sphinx-exercise warns of them too, but names another page.
    """
    known = getattr(env, "sphinx_exercise_registry", {})
    for of in known.values():
        label = of["node"].get("target_label")
        if of["docname"] == name and label is not None and label not in known:
            yield f"a solution is of no exercise: {label}"
