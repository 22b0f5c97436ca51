// A formula wider than the page scrolls in its own box. Readers without a mouse can only
// scroll what they can reach by the keyboard, so such a box becomes a stop of the tab key.
document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      target.toggleAttribute("tabindex", false);
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    }
  });
  for (const box of document.querySelectorAll("div.math, span.math")) observer.observe(box);
});
