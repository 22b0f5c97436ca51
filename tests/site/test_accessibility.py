"""Each page against axe-core's rules, as a light and as a dark page."""

import pytest

pytestmark = pytest.mark.site

GRAVE = ("serious", "critical")
# Rule, and the only element that may break it.
ACCEPTED = {
    # Docutils writes lists of sources with the role doc-biblioentry for each. In the
    # standard that it follows, this is a kind of listitem; axe-core knows it as none.
    ("aria-required-children", ".citation-list"),
}


@pytest.fixture(params=["light", "dark"])
def scheme(request, opened):
    """The colours that the page is shown in, with nothing folded."""
    opened.unfold()
    opened.colour_scheme(request.param)
    yield request.param
    opened.colour_scheme("light")


def test_has_no_grave_barrier(opened, scheme, axe):
    opened.page.evaluate(f"window.axe || (() => {{ {axe} }})()")
    # Without preload: axe looks for imported style sheets beside the page, in vain.
    options = "{ resultTypes: ['violations'], preload: false }"
    found = opened.page.evaluate(f"axe.run({options})")
    barriers = [
        f"{rule['id']}: {node['target'][-1]}: {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
        if (rule["id"], node["target"][-1]) not in ACCEPTED
    ]
    assert not barriers, "\n".join(barriers)


@pytest.mark.parametrize("scheme", ["dark"], indirect=True)
def test_figures_lie_on_a_light_card(opened, scheme):
    for image in opened.page.locator(".cell_output img").all():
        assert opened.brightness(image) > 0.8
        assert image.evaluate("each => getComputedStyle(each).filter") == "none"
