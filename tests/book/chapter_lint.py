"""The rules of a chapter that can be checked without executing it.

Each rule is a function that takes a chapter and yields problems as ``(line, message)``.
A measurement typed into prose is let through in a sentence that cites its source, or
that holds the comment ``<!-- cited -->``.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from minifast_book.waivers import loads_data, unexplained
from myst_nb.core.read import read_myst_markdown_notebook

ROOT = Path(__file__).parents[2]
MAX_CELL_LINES = 20
MAX_COLUMNS = 88
MIN_WORDS, MAX_WORDS = 1_200, 3_600

PROSE_DIRECTIVES = ("note", "tip", "warning", "admonition", "margin", "exercise")
OPENING = re.compile(r"^\s*(?P<fence>`{3,}|:{3,})(?P<info>.*)$")
FRAME = re.compile(r"(?:exercise|solution)-(?:start|end)\b")
# Functions whose value is for readers' eyes; values that may be there for an effect.
SHOWN = ("claim", "table", "show")
CALLED = (ast.Call, ast.Constant, ast.Await, ast.Yield)
OPTION = re.compile(r"^\s*:[\w-]+:.*$")
CITED = re.compile(r"\{cite|<!--\s*cited\s*-->")
MEASUREMENT = re.compile(
    r"""(?<![\w.,])\d[\d.,]*            # a number that begins here
    (?:\s?(?:%|\u00d7|per\s?cent)            # a share, a factor
     |\s?(?:[mnµ]s|[KMG]i?B|[MGT]FLOP)  # units that are no words
     |\s(?:s|x|times|seconds?|minutes?|hours?)\b)
    |\baccurac(?:y|ies)\s(?:of|is|was|reached)\s\d[\d.,]*""",
    re.VERBOSE,
)
COMPARISON = re.compile(
    r"""\b(?:faster|fastest|slower|slowest|quicker|cheaper|cheapest|better|best|worse|worst
    |catch(?:es)?\sup|longest|shortest|outperforms?|beats?
    |nearly\s(?:the\ssame|as)|(?:just|almost|about)\sas\s\w+\sas
    |(?:more|less|most|least)\s(?:expensive|costly|accurate|precise|stable))\b""",
    re.VERBOSE | re.IGNORECASE,
)
# What sounds like a comparison and measures nothing.
NO_COMPARISONS = re.compile(
    r"""\b(?:at\sbest|best\sknown|better\sknown|had\sbetter|better\snames?|best\sof\sboth)\b
    |<!--\s*no\scomparison\s*-->""",
    re.VERBOSE | re.IGNORECASE,
)
BACKED = re.compile(r"\{glue:|\{cite|<!--\s*cited\s*-->")
# What an editor would strike out: vague persons, calques, the other spelling.
STRUCK_OUT = re.compile(
    r"""\b(?:some|no|every)body\b|\beveryone\b|\bwhoever\b|\bshall\b
    |\ba\straining\b(?!\s\w)|\btrainings\b|\bby\sturns\b|\bas\sexact\sas\b
    |\bbelongs?\sinto\b|\bsomething\selse\sthan\b|\bfor\swhatever\b|\bnothing\sforbids\b
    |\bdifferences?\sto\b|\b(?:is|was)\sgot\b|\bthe\slast\s\w+\sbut\sone\b
    |\b(?:normal|initial|recogn|regular|general|optim|standard|minim|maxim|summar|organ
      |emphas|visual|real|penal|synchron|serial|token|factor|parameter)
      is(?:e[drs]?|ing|ation|ations)\b""",
    re.VERBOSE | re.IGNORECASE,
)
# Calls that measure and format: needed on a page, but not what it teaches.
PLUMBING = re.compile(r"measure(_each)?|record|table|format_\w+")
MAX_PLUMBING = 0.1
INLINE = re.compile(
    r"""\$\$.*?\$\$|\$[^$\n]+\$         # mathematics
    |\{[\w:+-]+\}`[^`]*`               # roles
    |(?P<ticks>`+).*?(?P=ticks)        # code
    |<!--.*?-->                        # comments
    |\]\([^)]*\)                       # targets of links
    |https?://\S+""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Cell:
    """A code cell: the line of its fence, its source and its tags."""

    line: int
    source: str
    tags: tuple[str, ...]
    metadata: dict

    def tree(self):
        """Return the parsed source, or None if it is not plain Python."""
        try:
            return ast.parse(self.source)
        except SyntaxError:
            return None


@dataclass(frozen=True)
class Chapter:
    """A chapter's text."""

    text: str

    @property
    def cells(self):
        """The code cells, in order."""
        notebook = read_myst_markdown_notebook(self.text, add_source_map=True)
        lines = notebook.metadata["source_map"]
        return [
            Cell(line, cell.source, tuple(cell.metadata.get("tags", ())), cell.metadata)
            for line, cell in zip(lines, notebook.cells, strict=True)
            if cell.cell_type == "code"
        ]

    @property
    def prose(self):
        """The text with everything that is not prose blanked out, line by line."""
        lines = self.text.splitlines()
        shown = [True] * len(lines)
        fences = []  # of each open fence its marks, and whether its content is prose
        start = _end_of_front_matter(lines)
        for i, line in enumerate(lines):
            opening = OPENING.match(line)
            if opening and fences and opening["info"].strip() == "":
                if len(opening["fence"]) >= len(fences[-1][0]):
                    fences.pop()
                shown[i] = False
            elif opening:
                kind = opening["info"].strip().lstrip("{")
                fences.append((opening["fence"], kind.startswith(PROSE_DIRECTIVES)))
                shown[i] = False
            else:
                options = bool(fences) and OPTION.match(line)
                shown[i] = i >= start and not options and all(p for _, p in fences)
        pairs = zip(lines, shown, strict=True)
        return "\n".join(line if keep else "" for line, keep in pairs)

    @property
    def words(self):
        """How many words of prose there are."""
        plain = INLINE.sub(" word ", self.prose)
        return len(re.findall(r"\b[^\W\d_][\w'-]*", plain))


def _end_of_front_matter(lines):
    if not lines or lines[0] != "---":
        return 0
    return lines.index("---", 1) + 1


def lint(chapter, rules=None):
    """Yield every problem of a chapter, ordered by line."""
    problems = [problem for rule in rules or RULES for problem in rule(chapter)]
    return sorted(problems)


def cells_are_plain_python(chapter):
    for cell in chapter.cells:
        if cell.tree() is None:
            yield cell.line, "the cell is not plain Python; magics belong to no chapter"


def cells_are_short(chapter):
    for cell in chapter.cells:
        count = len(cell.source.splitlines())
        if count > MAX_CELL_LINES:
            yield cell.line, f"the cell has {count} lines; {MAX_CELL_LINES} is most"


def cells_are_narrow(chapter):
    text = chapter.text.splitlines()
    for cell in chapter.cells:
        for line in cell.source.splitlines():
            if len(line) > MAX_COLUMNS:
                place = text.index(line, cell.line) + 1
                yield place, f"{len(line)} columns; {MAX_COLUMNS} is most"


def imports_are_named(chapter):
    for cell in chapter.cells:
        for node in ast.walk(cell.tree() or ast.Module([], [])):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield cell.line, f"star import from {node.module}: name what you use"


def package_names_are_not_redefined(chapter):
    for cell in chapter.cells:
        for name in sorted(_defined(cell.tree())):
            if name in package_names():
                owner = package_names()[name]
                yield cell.line, f"defines {name!r}, which {owner} exports: import it"


def imported_names_are_not_overwritten(chapter):
    imported = {}
    for cell in chapter.cells:
        for name in sorted(_assigned(cell.tree()) & imported.keys()):
            yield cell.line, f"overwrites {name!r}, imported from {imported[name]}"
        for node in ast.walk(cell.tree() or ast.Module([], [])):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("minifast"):
                imported |= {
                    each.asname or each.name: node.module for each in node.names
                }


def measurements_are_not_typed(chapter):
    prose = INLINE.sub(_blank, chapter.prose)
    fix = "record() it and show it with {glue:text}, or add <!-- cited -->"
    for start, sentence in _sentences(chapter.prose):
        if CITED.search(sentence):
            continue
        for match in MEASUREMENT.finditer(prose, start, start + len(sentence)):
            line = prose.count("\n", 0, match.start()) + 1
            yield line, f"typed measurement {' '.join(match[0].split())!r}: {fix}"


def claims_name_their_counterexample(chapter):
    for cell in chapter.cells:
        for node in ast.walk(cell.tree() or ast.Module([], [])):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
            if called == "claim" and not {"unless", "reason"} & {
                keyword.arg for keyword in node.keywords
            }:
                line = cell.line + node.lineno
                yield line, "the claim has neither unless= nor a reason= to have none"


def what_is_to_be_seen_ends_its_cell(chapter):
    """A notebook shows the last value of a cell, so no other one is seen."""
    for cell in chapter.cells:
        body = cell.tree().body if cell.tree() else []
        hushed = body[-1:] if cell.source.rstrip().endswith(";") else []
        for node in _statements(body):
            seen = _shown_by(node)
            is_value = node in body[:-1] and not isinstance(node.value, CALLED)
            if (seen and (node not in body[-1:] or node in hushed)) or is_value:
                what = seen or f"value {ast.unparse(node)!r}"
                line = cell.line + node.lineno
                yield line, f"the {what} is not shown: let its cell end with it"


def _shown_by(node):
    """Return the function, if it is one for readers' eyes that makes a value."""
    function = getattr(node.value, "func", None)
    name = getattr(function, "id", getattr(function, "attr", ""))
    return name if isinstance(node.value, ast.Call) and name in SHOWN else ""


def _statements(body):
    """Yield the expressions that stand for themselves, outside of functions.

    What a cell tries is there for its error, as a claim that is refused.
    """
    for node in body:
        if isinstance(node, ast.Expr):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef):
            tried = () if isinstance(node, ast.Try) else ("body",)
            for name in (*tried, "orelse", "finalbody", "handlers"):
                yield from _statements(getattr(node, name, ()))


def fences_are_closed(chapter):
    """What a fence opens ends; the frame of an exercise or a solution does at once."""
    fences = []  # the line, the marks and the name of each that is open
    lines = chapter.text.splitlines()
    for number, line in enumerate(lines, start=1):
        opening = OPENING.match(line)
        frame = fences[-1] if fences and FRAME.match(fences[-1][2]) else None
        name = opening["info"].strip().lstrip("{") if opening else ""
        if opening and fences and not name and _ends(opening["fence"], fences[-1][1]):
            fences.pop()
        elif frame and line.strip() and not OPTION.match(line):
            yield frame[0], f"the fence of {{{frame[2].split('}')[0]}}} is not closed"
            fences.pop()
        elif opening and name and (not fences or _holds_prose(fences[-1][2])):
            fences.append((number, opening["fence"], name))
    for number, _, name in fences:
        yield number, f"the fence of {name.rstrip('}')!r} is not closed"


def _ends(marks, opened):
    return marks[0] == opened[0] and len(marks) >= len(opened)


def _holds_prose(name):
    return name.startswith(PROSE_DIRECTIVES) and not FRAME.match(name)


def comparisons_are_backed(chapter):
    """What is called faster, better or nearly the same was measured, or is cited.

    In the paragraph stands a recorded number or a citation, or a claim or a record
    stands in the cell before it or behind it. Questions compare nothing.
    """
    prose = INLINE.sub(_blank, chapter.prose)
    measuring = [
        cell for cell in chapter.cells if re.search(r"\b(claim|record)\(", cell.source)
    ]
    fix = "record() or claim() it, cite who measured it, or say less"
    for start, paragraph in _paragraphs(chapter.prose):
        first = prose.count("\n", 0, start) + 1
        if BACKED.search(paragraph) or _is_beside(chapter, measuring, first):
            continue
        for offset, sentence in _sentences(paragraph):
            if sentence.rstrip().endswith("?") or NO_COMPARISONS.search(sentence):
                continue
            at = start + offset
            for match in COMPARISON.finditer(prose, at, at + len(sentence)):
                line = prose.count("\n", 0, match.start()) + 1
                yield line, f"{' '.join(match[0].split())!r} without a number: {fix}"


def _is_beside(chapter, measuring, line):
    """Tell whether the cell next before or after a paragraph measures something."""
    before = [cell.line for cell in chapter.cells if cell.line < line]
    after = [cell.line for cell in chapter.cells if cell.line > line]
    beside = {*before[-1:], *after[:1]}
    return any(cell.line in beside for cell in measuring)


def _paragraphs(text):
    """Yield each paragraph with its place."""
    for match in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+", text):
        yield match.start(), match[0]


def words_are_plain(chapter):
    prose = INLINE.sub(_blank, chapter.prose)
    for match in STRUCK_OUT.finditer(prose):
        line = prose.count("\n", 0, match.start()) + 1
        yield line, f"say {' '.join(match[0].split())!r} in other words"


def plumbing_is_a_tenth(chapter):
    """Of the lines of code at most a tenth measures and formats.

    Not counted: claims, which are proofs and belong to what a page teaches.
    """
    code = plumbing = 0
    for cell in chapter.cells:
        lines = cell.source.splitlines()
        kept = {n for n, line in enumerate(lines, 1) if re.match(r"\s*[^\s#]", line)}
        calls = [
            node
            for node in ast.walk(cell.tree() or ast.Module([], []))
            if isinstance(node, ast.Call)
            and PLUMBING.fullmatch(getattr(node.func, "id", ""))
        ]
        inside = {n for call in calls for n in range(call.lineno, call.end_lineno + 1)}
        code, plumbing = code + len(kept), plumbing + len(kept & inside)
    if plumbing > MAX_PLUMBING * code:
        share = f"{plumbing} of {code} lines of code measure and format"
        yield 1, f"{share}; {MAX_PLUMBING:.0%} is most"


def the_last_cell_stamps(chapter):
    cells = chapter.cells
    if not cells or "stamp(" not in cells[-1].source:
        line = cells[-1].line if cells else 1
        yield line, "the last cell must call stamp()"
    elif "remove-input" not in cells[-1].tags:
        yield cells[-1].line, "the cell with stamp() needs the tag remove-input"


def what_is_switched_off_has_a_reason(chapter):
    for cell in chapter.cells:
        for problem in unexplained(cell):
            yield cell.line, problem


def the_stamp_names_the_data(chapter):
    cells = chapter.cells
    stamped = bool(cells) and "stamp()" in cells[-1].source
    if stamped and loads_data(cell.source for cell in cells):
        yield cells[-1].line, "takes a data set, but stamp() names none"


def exercises_have_executed_solutions(chapter):
    cell_lines = [cell.line for cell in chapter.cells]
    solutions = {}
    for start, label, end in _blocks(chapter.text, "solution"):
        solutions[label] = sum(start < line < end for line in cell_lines)
    for line, label, _ in _blocks(chapter.text, "exercise"):
        if not label:
            yield line, "the exercise has no :label:"
        elif label not in solutions:
            yield line, f"the exercise {label!r} has no solution"
        elif solutions[label] == 0:
            yield line, f"no code cell tests the solution of {label!r}"


def roles_name_the_package(chapter):
    pattern = re.compile(r"\{py:\w+\}`(?:[^`<]*<)?[~!]?(?P<target>[^`>]+)>?`")
    for match in pattern.finditer(chapter.prose):
        if not match["target"].startswith("minifast"):
            line = chapter.prose.count("\n", 0, match.start()) + 1
            yield line, f"{match[0]} links nowhere: give the whole name, minifast..."


def length_is_right(chapter):
    if not MIN_WORDS <= chapter.words <= MAX_WORDS:
        yield 1, f"{chapter.words} words of prose; {MIN_WORDS} to {MAX_WORDS} are right"


RULES = [
    cells_are_plain_python,
    cells_are_short,
    cells_are_narrow,
    imports_are_named,
    package_names_are_not_redefined,
    imported_names_are_not_overwritten,
    measurements_are_not_typed,
    claims_name_their_counterexample,
    what_is_to_be_seen_ends_its_cell,
    fences_are_closed,
    comparisons_are_backed,
    words_are_plain,
    plumbing_is_a_tenth,
    the_last_cell_stamps,
    the_stamp_names_the_data,
    what_is_switched_off_has_a_reason,
    exercises_have_executed_solutions,
    roles_name_the_package,
    length_is_right,
]


@cache
def package_names():
    """Map each public function and class of the package to its module."""
    names = {}
    for path in sorted((ROOT / "minifast").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_definition and not node.name.startswith("_"):
                names[node.name] = module.removesuffix(".__init__")
    return names


def _defined(tree):
    """Return the names of the functions and classes that a cell defines."""
    names = set()
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            names |= {target.id for target in node.targets}
    return names


def _assigned(tree):
    """Return the names that a cell assigns to, outside functions and classes."""
    scopes = (ast.FunctionDef, ast.ClassDef)
    outside = (
        [node for node in tree.body if not isinstance(node, scopes)] if tree else []
    )
    inside = (n for node in outside for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in inside if isinstance(n.ctx, ast.Store)}


def _blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def _sentences(text):
    """Yield each sentence with its place; a blank line ends one as well."""
    start = 0
    for end in re.finditer(r"(?<=[.!?])\s+(?=[A-Z`{*\[(])|\n\s*\n|\Z", text):
        yield start, text[start : end.start()]
        start = end.end()


def _blocks(text, kind):
    """Yield (first line, label, last line) of each exercise or solution."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        opening = re.match(rf"^\s*[`:]{{3,}}\{{{kind}(-start)?\}}\s*(\S*)", line)
        if not opening:
            continue
        label = opening[2]
        if kind == "exercise":
            options = " ".join(lines[i : i + 6])
            found = re.search(r":label:\s*(\S+)", options)
            label = found[1] if found else ""
        ending = f"{{{kind}-end}}" if opening[1] else "```"
        rest = (j for j in range(i + 1, len(lines)) if ending in lines[j])
        yield i + 1, label, next(rest, len(lines)) + 1
