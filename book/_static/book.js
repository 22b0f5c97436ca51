// A formula wider than the page scrolls in itself. That is decided here, and not by the
// style sheet: slanted letters stick a little out of their formula, and a box that may
// scroll would draw a scroll bar under each of them. A formula that scrolls fades where it
// goes on, and is a stop of the tab key, since readers without a mouse can only scroll what
// they can reach by the keyboard.
const fade = ({ target: box }) => {
  const hidden = box.scrollWidth - box.clientWidth - box.scrollLeft;
  box.classList.toggle("goes-on-left", box.scrollLeft > 1);
  box.classList.toggle("goes-on-right", hidden > 1);
};

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const formula = target.querySelector("mjx-math");
      if (!formula) continue;
      const box = target.matches("div") ? formula.parentElement : target;
      const width = (each) => each.getBoundingClientRect().width;
      const scrolls = width(formula) > width(box) + 1;
      box.classList.toggle("scrolls", scrolls);
      box.toggleAttribute("tabindex", false);
      box.classList.remove("goes-on-left", "goes-on-right");
      if (!scrolls) continue;
      box.tabIndex = 0;
      box.onscroll = fade;
      fade({ target: box });
    }
  });
  for (const box of document.querySelectorAll("div.math, span.math")) observer.observe(box);
});

// Paper is white: a dark page is printed as the light one, with all its colours. Browsers
// tell of printing by an event, and of a print preview by a media query.
let shown = null;

const paper = (on) => {
  const { dataset } = document.documentElement;
  if (on && shown === null) {
    shown = dataset.theme;
    dataset.theme = "light";
  } else if (!on && shown !== null) {
    dataset.theme = shown;
    shown = null;
  }
};

window.addEventListener("beforeprint", () => paper(true));
window.addEventListener("afterprint", () => paper(false));
window.matchMedia("print").addEventListener("change", (query) => paper(query.matches));

// In tables, paths and dotted names may break between their parts, and nowhere else.
document.addEventListener("DOMContentLoaded", () => {
  for (const code of document.querySelectorAll(".bd-article :is(td, th) code .pre")) {
    const parts = code.textContent.split(/(?<=[/.])(?=\w)/);
    if (parts.length > 1 && !code.children.length) {
      const breaks = parts.slice(1).flatMap((part) => [document.createElement("wbr"), part]);
      code.replaceChildren(parts[0], ...breaks);
    }
  }
});

// Results of the search show what a page says: not its table of contents, which the theme
// keeps for printing, and formulas without the marks around them.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const toText = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector("article");
    if (!article) return toText(html, anchor);
    for (const formula of article.querySelectorAll(".math")) {
      formula.textContent = formula.textContent.replace(/\\[()[\]]/g, "");
    }
    const id = anchor && `#${CSS.escape(anchor.slice(1))}`; // minifast.losses, say, has dots
    return toText(`<main role="main">${article.innerHTML}</main>`, id);
  };
});
