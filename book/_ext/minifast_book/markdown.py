"""MyST Markdown as plain Markdown, which Jupyter, Colab and GitHub show as it is meant.

Roles become text and links; directives become headings, quotes and folded parts. What
stands in code, such as an example of how to write a role, stays as it is.
"""

from __future__ import annotations

import html
import posixpath
import re
from dataclasses import dataclass, field
from textwrap import dedent, indent
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pybtex.database import BibliographyData

from minifast_book.citations import cite
from minifast_book.references import References

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markdown_it.token import Token

PARSER = (
    MarkdownIt()
    .use(colon_fence_plugin)
    .use(dollarmath_plugin, allow_labels=True, double_inline=True)
)
MATH = ("math_block", "math_block_label")
BLOCKS = ("fence", "colon_fence", "code_block", *MATH)
DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)")
OPTIONS = re.compile(r"\A(?:---\n(?:.*\n)*?---(?:\n|\Z)|(?::[\w-]+:.*(?:\n|\Z))+)")
LABEL = re.compile(r"^:?(?:label|name):\s*(\S+)\s*$", re.MULTILINE)
LINE = re.compile(r"^(?:\([\w:.-]+\)=|\{[.#][^}\n]*\}|%.*|\+\+\+.*)\n?", re.MULTILINE)
INLINE = re.compile(
    r"""(?P<comment><!--.*?-->[ ]?)
    |\{(?P<role>[a-z][\w:-]*)\}(?P<ticks>`+)(?P<content>.+?)(?<!`)(?P=ticks)(?!`)
    |(?<![`\\])(?P<code>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=code)(?!`)
    |(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<goal>[^()\s]*)\)
    |\\(?P<macro>[A-Za-z]+)""",
    re.DOTALL | re.VERBOSE,
)
TITLED = re.compile(r"^(?P<title>.+?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)
SCHEME = re.compile(r"[a-z][a-z+.-]*:")
NOTES = ("note", "tip", "hint", "important", "seealso")
ALARMS = ("warning", "caution", "danger", "error", "attention")
CODE = ("code", "code-block", "sourcecode")
UNKNOWN = {"numref": "the figure", "eq": "the equation"}  # where numbers are not known


@dataclass
class Converter:
    """Converts the cells of one page, in their order.

    Attributes:
        page: Name of the page.
        references: What it can refer to.
        works: What it can cite.
        recorded: Texts of the values that the page recorded.
        macros: What its formulas may use beyond plain TeX.
        cited: Keys of the works cited so far.
        solution: Title of the solution that is open at the moment.
    """

    page: str = ""
    references: References = field(default_factory=References)
    works: BibliographyData = field(default_factory=BibliographyData)
    recorded: Mapping[str, str] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    cited: list[str] = field(default_factory=list)
    solution: str = ""
    _exercises: dict[str, str] = field(default_factory=dict)

    def convert(self, source: str) -> str:
        """Return a cell's Markdown; empty if nothing of it is for readers.

        A solution goes on over several cells, so each folds its own part.
        """
        parts, kept, resumed = [], [], bool(self.solution)
        for token, text in _pieces(source):
            name, argument = _directive(token)
            if name == "solution-start":
                parts, kept, resumed = [], [*kept, *parts], False
                self.solution = self._solution_title(argument)
            elif name == "solution-end":
                parts = [*kept, self._folded(parts, resumed)]
                kept, resumed, self.solution = [], False, ""
            else:
                parts.append(self._piece(token, text))
        if self.solution:
            parts = [*kept, self._folded(parts, resumed)]
        return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()

    def _folded(self, parts: list[str], resumed: bool) -> str:
        text = "".join(parts).strip()
        title = self.solution + (" (continued)" if resumed else "")
        if text:
            return _fold(title, text)
        return "" if resumed else f"**{title}**, in the folded cell\n\n"

    def _piece(self, token: Token | None, text: str) -> str:
        name, argument = _directive(token)
        if token is None:
            return INLINE.sub(self._inline, LINE.sub("", text))
        if token.type in MATH:
            plain = self._formula(dedent(token.content), token.info)
        elif name:
            options = OPTIONS.match(token.content)
            body = token.content[options.end() :] if options else token.content
            label = LABEL.search(options[0]) if options else None
            plain = self._block(
                name, argument, body.strip("\n"), label[1] if label else ""
            )
        else:
            return text
        return indent(plain, text[: len(text) - len(text.lstrip(" "))])

    def _block(self, name: str, argument: str, body: str, label: str) -> str:
        if name == "exercise-end":
            return "\n"
        if name in ("exercise-start", "exercise"):
            return (
                f"### {self._exercise_title(argument, label)}\n\n{self._in(body)}\n\n"
            )
        if name == "solution":
            return _fold(self._solution_title(argument), self._in(body))
        if name in ("dropdown", "toggle"):
            return _fold(argument or "More", self._in(body))
        if name in NOTES + ALARMS:
            return _quote(
                f"**{name.capitalize()}.** {self._in(argument)}", self._in(body)
            )
        if name == "admonition":
            return _quote(f"**{self._in(argument)}.**", self._in(body))
        if name in CODE:
            return f"```{argument}\n{body}\n```\n"
        if name == "math":
            return self._formula(body, label)
        if name in ("figure", "image"):
            return self._picture(argument, self._in(body), label)
        address = self.references.page_address(self.page)
        where = f"[page of the book]({address})" if address else "page of the book"
        return f"*This part is on the {where}.*\n\n"

    def _in(self, text: str) -> str:
        """Convert what stands inside a directive."""
        return "".join(self._piece(*piece) for piece in _pieces(text)).strip()

    def _exercise_title(self, title: str, label: str) -> str:
        number = self.references.numbers.get(label, "Exercise")
        self._exercises[label] = f"{number} ({self._in(title)})" if title else number
        return self._exercises[label]

    def _solution_title(self, label: str) -> str:
        return f"Solution to {self._exercises.get(label, 'the exercise')}"

    def _formula(self, tex: str, label: str) -> str:
        tex = INLINE.sub(self._expand, tex.strip("\n"))
        number = self.references.numbers.get(label, "").strip("()")
        tag = f"\n\\tag{{{number}}}" if number else ""
        return f"$$\n{tex}{tag}\n$$\n"

    def _picture(self, path: str, caption: str, label: str) -> str:
        address = path if SCHEME.match(path) else self.references.image_address(path)
        picture = f"![]({address})\n\n" if address else ""
        return f"{picture}{self.caption(caption, label)}\n\n" if caption else picture

    def caption(self, text: str, label: str) -> str:
        """Return the caption of a figure with its number, as MyST still."""
        number = self.references.numbers.get(label)
        return f"**{number}.** {text}" if number else f"*Figure.* {text}"

    def _inline(self, match: re.Match[str]) -> str:
        if match["comment"]:
            return ""
        if match["role"]:
            return self._role(match["role"], match["content"])
        if match["goal"] is not None:
            return self._link(match)
        return self._expand(match)

    def _expand(self, match: re.Match[str]) -> str:
        return self.macros.get(match["macro"] or "", match[0])

    def _link(self, match: re.Match[str]) -> str:
        text, goal = INLINE.sub(self._inline, match["text"]), match["goal"]
        if match["image"]:
            address = (
                goal if SCHEME.match(goal) else self.references.image_address(goal)
            )
            return f"![{text}]({address})" if address else text
        if SCHEME.match(goal):
            return match[0]
        path, _, anchor = goal.partition("#")
        if path and not path.endswith(".md"):
            path, anchor = "", path  # MyST also takes a bare label
        if not path:
            return self._refer(anchor, text)
        page = self._page(path.removesuffix(".md"))
        text = text or self.references.titles.get(page, page)
        return _link(text, self.references.page_address(page, anchor))

    def _page(self, path: str) -> str:
        """Return the name of a page that is named from this one."""
        folder = "" if path.startswith("/") else posixpath.dirname(self.page)
        return posixpath.normpath(posixpath.join(folder, path.lstrip("/")))

    def _refer(self, label: str, text: str) -> str:
        """Refer to a label: by a link, unless it is on this page."""
        text = text or self.references.numbers.get(label, "") or "there"
        page, _ = self.references.places.get(label, (self.page, ""))
        return (
            text
            if page == self.page
            else _link(text, self.references.label_address(label))
        )

    def _role(self, role: str, content: str) -> str:
        titled = TITLED.match(content)
        title, target = (titled[1], titled[2]) if titled else ("", content)
        number = self.references.numbers.get(target) or UNKNOWN.get(role, "")
        match role.split(":"):
            case ["glue", *_]:
                return self.recorded.get(content, content)
            case ["cite", *kind]:
                keys = [key.strip() for key in content.split(",")]
                self.cited += keys
                return cite(self.works, keys, textual=kind[:1] in (["t"], ["ts"]))
            case ["numref"]:
                bare = number.split()[-1] if target in self.references.numbers else ""
                title = re.sub(r"%s|\{number\}", bare, title)
                return self._refer(target, title or number)
            case ["eq"] | ["ref"]:
                return self._refer(target, title or number)
            case ["doc"]:
                page = self._page(target)
                title = title or self.references.titles.get(page, page)
                return _link(title, self.references.page_address(page))
            case ["py", kind]:
                return self._python(kind, title, target)
            case ["math"]:
                return f"${content}$"
            case ["sub"] | ["sup"]:
                return f"<{role}>{content}</{role}>"
            case ["term"] | ["abbr"]:
                return title or content
        return title or f"`{content}`"

    def _python(self, kind: str, title: str, target: str) -> str:
        name = target.lstrip("~")
        text = title or (name.rpartition(".")[2] if target[0] == "~" else name)
        if kind in ("func", "meth") and not title:
            text += "()"
        return _link(f"`{text}`", self.references.label_address(name))


def _pieces(source: str) -> Iterator[tuple[Token | None, str]]:
    """Yield the blocks of a text that are no prose, and the prose between them."""
    lines, done = source.splitlines(keepends=True), 0
    for token in PARSER.parse(source):
        if token.type in BLOCKS and token.map and token.map[0] >= done:
            start, end = token.map
            yield None, "".join(lines[done:start])
            yield token, "".join(lines[start:end])
            done = end
    yield None, "".join(lines[done:])


def _directive(token: Token | None) -> tuple[str, str]:
    """Return a directive's name and argument; empty if the block is none."""
    if token is None or token.type not in ("fence", "colon_fence"):
        return "", ""
    found = DIRECTIVE.match(token.info.strip())
    return (found["name"], found["argument"].strip()) if found else ("", "")


def _fold(title: str, text: str) -> str:
    title = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(title, quote=False))
    opening = f"<details>\n<summary>{title}</summary>"
    return f"{opening}\n\n{text}\n\n</details>\n\n"


def _quote(*paragraphs: str) -> str:
    lines = "\n\n".join(filter(None, paragraphs)).splitlines()
    return "".join(f"> {line}".rstrip() + "\n" for line in lines) + "\n"


def _link(text: str, address: str) -> str:
    return f"[{text}]({address})" if address else text
