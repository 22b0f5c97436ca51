"""What readers do with the site: search, unfold, copy, read at night, on a phone."""

from urllib.parse import urlencode, urljoin

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.site


def test_search_finds_the_chapter_that_explains_the_word(visit):
    page = visit.go("intro")
    page.locator(".search-button-field").click()
    page.locator("dialog input[name=q]").fill("broadcasting")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=broadcasting")
    results = page.locator("#search-results li")
    expect(results.locator("a[href*='01-matmul.html']").first).to_be_visible()
    assert (visit.errors, visit.failed, visit.foreign) == ([], [], [])


@pytest.mark.parametrize(
    "word", ["backpropagation", "hyperparameter", "vanishing gradient", "minibatch"]
)
def test_search_knows_other_names_for_a_thing(visit, word):
    page = visit.page
    page.goto(f"{visit.base}search.html?{urlencode({'q': word})}")
    found = page.locator("#search-results li a[href*='glossary.html']")
    expect(found.first).to_be_visible()


@pytest.mark.parametrize("word", ["broadcasting", "gradient"])
def test_results_of_the_search_show_what_pages_say(visit, word):
    page = visit.page
    page.goto(f"{visit.base}search.html?{urlencode({'q': word})}")
    shown = page.locator("#search-results li p.context")
    expect(shown.nth(3)).to_be_visible()
    texts = [" ".join(text.split()) for text in shown.all_inner_texts()]
    assert not [text for text in texts if "Contents " in text or "\\(" in text]
    assert visit.errors == []


def test_pages_are_as_dark_as_the_system(visit):
    page = visit.go("01-matmul")
    visit.colour_scheme("dark")
    assert visit.brightness(page.locator("body")) < 0.2
    visit.colour_scheme("light")
    assert visit.brightness(page.locator("body")) > 0.8


def test_the_chosen_colours_stay_on_the_next_page(visit):
    page = visit.go("01-matmul")
    html, switch = page.locator("html"), page.locator(".theme-switch-button").first
    for _ in range(3):
        if html.get_attribute("data-mode") == "dark":
            break
        switch.click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.locator("a.right-next").click()
    page.wait_for_url("**/02-forward.html")
    expect(html).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_solutions_are_folded_until_asked_for(visit, by):
    page = visit.go("01-matmul")
    solution = page.locator(".admonition.solution").first
    content = solution.locator(".exercise-content")
    expect(content).to_be_hidden()
    button = solution.locator("button.toggle-button")
    if by == "mouse":
        solution.locator(".admonition-title").click()
    else:
        button.focus()
        page.keyboard.press("Enter")
    expect(content).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")


def test_the_footer_unfolds(visit):
    page = visit.go("01-matmul")
    expect(page.locator(".provenance dl")).to_be_hidden()
    page.locator(".provenance summary").click()
    expect(page.locator(".provenance dl")).to_be_visible()


def test_the_copy_button_copies_the_code(visit):
    page = visit.go("01-matmul")
    assert copied(page, page.locator("div.cell_input").first) == (
        page.locator("div.cell_input pre").first.inner_text().rstrip("\n")
    )


def test_the_copy_button_leaves_prompts_out(visit):
    page = visit.go("api/book")
    example = page.locator("div.highlight-pycon, div.doctest").first
    code = copied(page, example)
    assert code
    assert ">>>" in example.inner_text()
    assert ">>>" not in code


def copied(page, block):
    """Press the copy button of a block, and return what it put into the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block.hover()
    block.locator("button.copybtn").click()
    return page.evaluate("navigator.clipboard.readText()")


def test_on_a_phone_the_navigation_opens_and_leads_on(phone):
    page = phone.go("intro")
    link = page.get_by_role("link", name="The forward pass")
    expect(link).to_be_hidden()
    page.locator("button.primary-toggle").tap()
    expect(link).to_be_visible()
    link.tap()
    page.wait_for_url("**/02-forward.html")
    expect(page.locator("h1:visible")).to_contain_text("The forward pass")


def test_print_leaves_the_navigation_out_and_unfolds_solutions(visit):
    page = visit.go("01-matmul")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".bd-sidebar-primary")).to_be_hidden()
    expect(page.locator(".bd-header-article")).to_be_hidden()
    expect(page.locator(".solution .exercise-content").first).to_be_visible()


# Texts that are pale on white paper: contrast below 4.5 to 1, as in WCAG 2.1, 1.4.3.
PALE = """() => {
  const canvas = document.createElement('canvas').getContext('2d');
  const luminance = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(value => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(
    document.querySelector('.bd-article-container'), NodeFilter.SHOW_TEXT);
  const pale = [];
  while (texts.nextNode()) {
    const { data, parentElement: owner } = texts.currentNode;
    if (!data.trim() || !owner.checkVisibility()) continue;
    if (1.05 / (luminance(getComputedStyle(owner).color) + 0.05) < 4.5) pale.push(data);
  }
  return pale;
}"""


def test_a_dark_page_is_printed_dark_on_white(visit):
    page = visit.go("01-matmul")
    visit.colour_scheme("dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    visit.unfold()
    assert visit.brightness(page.locator("body")) > 0.9
    assert page.evaluate(PALE) == []
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")


def test_printing_itself_makes_a_dark_page_light_and_dark_again(visit):
    page = visit.go("01-matmul")
    visit.colour_scheme("dark")
    for event, theme in (("beforeprint", "light"), ("afterprint", "dark")):
        page.evaluate(f"window.dispatchEvent(new Event('{event}'))")
        assert page.locator("html").get_attribute("data-theme") == theme


def test_paper_shows_the_number_of_the_chapter_and_no_buttons(visit):
    page = visit.go("01-matmul")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    titles = page.locator("h1:visible").all_inner_texts()
    assert len(titles) == 1
    assert titles[0].startswith("1. ")
    expect(page.locator(".toggle-button:visible, .copybtn:visible")).to_have_count(0)
    frame = page.locator("div.cell_input").first
    assert frame.evaluate("each => getComputedStyle(each).breakInside") == "avoid"


def test_a_lost_reader_gets_a_page_with_a_way_back(visit):
    page = visit.page
    page.goto(f"{visit.base}no/such/page.html")
    lost = [each for each in visit.failed if not each.endswith("no/such/page.html")]
    assert lost == []
    home = page.locator("a.navbar-brand").first.get_attribute("href")
    assert urljoin(page.url, home) == f"{visit.base}intro.html"
