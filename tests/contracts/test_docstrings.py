"""Every public name says what it is, its shapes, and where the book explains it."""

import ast
import itertools
import re

import pytest

TENSORS = {"Tensor", "Var", "Matrix"}
SHAPE = re.compile(r"^\s*Shape:", re.MULTILINE)
BOOK = re.compile(r"\bBook:(.*?)(?:\n\s*\n|\Z)", re.DOTALL)
PLACE = re.compile(r'ch\. (\d+)((?:,? (?:and )?"[^"]+")*)')
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def public_definitions(source):
    """Yield (name, node) for public functions and classes, and classes' methods."""
    if not source.is_public:
        return
    for node in source.tree.body:
        if isinstance(node, FUNCTIONS | ast.ClassDef) and is_public(node):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, FUNCTIONS | ast.ClassDef) and is_public(inner):
                    yield f"{node.name}.{inner.name}", inner


def is_public(node):
    decorators = {ast.unparse(each) for each in node.decorator_list}
    return not node.name.startswith("_") and not decorators & {"overload", "override"}


def annotations(node):
    """Yield the annotations that say what a callable takes and returns."""
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, ast.AnnAssign):
                yield inner.annotation
            elif isinstance(inner, FUNCTIONS) and inner.name == "__init__":
                yield from annotations(inner)
        return
    each = node.args
    args = [*each.posonlyargs, *each.args, *each.kwonlyargs, each.vararg, each.kwarg]
    yield from (arg.annotation for arg in args if arg and arg.annotation)
    if node.returns:
        yield node.returns


def touches_tensors(node):
    words = (ast.unparse(annotation) for annotation in annotations(node))
    return any(TENSORS & set(re.findall(r"\w+", each)) for each in words)


def test_every_public_name_has_a_docstring(source):
    assert ast.get_docstring(source.tree), f"{source.name}: the module has none"
    bare = [n for n, node in public_definitions(source) if not ast.get_docstring(node)]
    assert not bare, f"{source.name}: no docstring in {', '.join(bare)}"


def test_whatever_takes_or_returns_a_tensor_states_its_shape(source):
    silent = [
        name
        for name, node in public_definitions(source)
        if touches_tensors(node) and not SHAPE.search(ast.get_docstring(node) or "")
    ]
    assert not silent, f"{source.name}: no 'Shape:' section in {', '.join(silent)}"


def references(source):
    """Yield (chapter's number, quoted headings) for every chapter a docstring names."""
    nodes = ast.Module | ast.ClassDef | FUNCTIONS
    for node in ast.walk(source.tree):
        text = ast.get_docstring(node) if isinstance(node, nodes) else None
        for book in BOOK.findall(text or ""):
            for chapter, quoted in PLACE.findall(" ".join(book.split())):
                yield chapter, re.findall(r'"([^"]+)"', quoted)


def headings(root, chapter):
    """The headings of a chapter, or None if there is no such chapter."""
    files = sorted((root / "book").glob(f"{chapter}-*.md"))
    if not files:
        return None
    text = files[0].read_text(encoding="utf-8")
    outside_code = re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^#+ (.+?)\s*$", outside_code, re.MULTILINE))


def test_the_chapters_that_docstrings_name_exist(source, root):
    lost = {chapter for chapter, _ in references(source) if not headings(root, chapter)}
    assert not lost, f"{source.name}: no file book/NN-*.md for chapter {sorted(lost)}"


def test_the_headings_that_docstrings_quote_exist(source, root):
    lost = [
        f'ch. {chapter}, "{title}"'
        for chapter, titles in references(source)
        for title in titles
        if (found := headings(root, chapter)) and title not in found
    ]
    assert not lost, f"{source.name}: no such heading: {sorted(set(lost))}"


def pages(root, docstring):
    """Yield the texts of the pages that a docstring's ``Book:`` names."""
    for book in BOOK.findall(docstring or ""):
        outside_titles = re.sub(r'"[^"]*"', "", book)
        names = [f"{number}-*.md" for number in re.findall(r"\b\d\d\b", outside_titles)]
        names += ["intro.md"] * ("the introduction" in " ".join(book.split()))
        for name in names:
            for page in (root / "book").glob(name):
                yield page.read_text(encoding="utf-8")


def is_shown(root, name, docstring):
    """Whether a name is a word on a page that its docstring names, or it names none."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    return "Book:" not in (docstring or "") or any(
        word.search(text) for text in pages(root, docstring)
    )


def test_the_chapters_that_docstrings_name_show_the_name(source, root):
    lost = [
        name
        for name, node in public_definitions(source)
        if not is_shown(root, node.name, ast.get_docstring(node))
    ]
    assert not lost, f"{source.name}: not in the chapter named: {', '.join(lost)}"


def described_values(source):
    """Yield (name, docstring) of properties, and of constants and attributes."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            if any("property" in ast.unparse(d) for d in node.decorator_list):
                yield node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Module | ast.ClassDef):
            for before, after in itertools.pairwise(node.body):
                if isinstance(before, ast.Assign | ast.AnnAssign) and is_text(after):
                    target = getattr(before, "target", None) or before.targets[0]
                    yield ast.unparse(target), after.value.value


def is_text(node):
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant and isinstance(node.value.value, str)


def reads_as_type(docstring):
    """Whether napoleon would take the beginning of the first line for a type."""
    first_line = re.sub(r"(:\w+:)?`+[^`]*`+", "", docstring.strip().split("\n")[0])
    return re.search(r":\s*\S", first_line) is not None


def test_no_value_is_described_as_if_by_its_type(source):
    """A colon in the first line is read as ``type: description`` on the API pages."""
    bad = [name for name, text in described_values(source) if reads_as_type(text)]
    assert not bad, f"{source.name}: a colon in the first line of {', '.join(bad)}"


def test_foundations_name_their_chapters(sources, root):
    named = {
        chapter
        for source in sources
        if source.name.startswith("minifast.foundations")
        for chapter, _ in references(source)
    }
    assert {"01", "03"} <= named


@pytest.mark.parametrize(
    ("code", "touches"),
    [
        ("def f(x: Tensor) -> int: ...", True),
        ("def f(*xs: torch.Tensor | None): ...", True),
        ("def f() -> tuple[Var, int]: ...", True),
        ("def f(x: 'Matrix'): ...", True),
        ("def f(tensors: int, *, name: str) -> TensorLike: ...", False),
        ("class C:\n    x: list[Tensor]", True),
        ("class C:\n    def __init__(self, x: Tensor): ...", True),
        ("class C:\n    def f(self, x: Tensor): ...", False),
    ],
)
def test_the_test_itself_sees_tensors_in_annotations(code, touches):
    assert touches_tensors(ast.parse(code).body[0]) is touches


def test_the_test_itself_reads_references():
    text = 'What.\n\n    Book: ch. 00, "A" and\n    "B"; ch. 12, "C".\n\n    ch. 7.\n'
    source = type("Source", (), {"tree": ast.parse(f'"""{text}"""')})
    assert list(references(source)) == [("00", ["A", "B"]), ("12", ["C"])]


@pytest.mark.parametrize(
    ("name", "docstring", "shown"),
    [
        ("walk", 'Go.\n\nBook: ch. 01, "How to run".', True),
        ("run", 'Go.\n\nBook: ch. 01, "How to run".', False),  # in the title only
        ("wal", "Go. Book: ch. 01.", False),  # in a word only
        ("sit", "Go.\n\nBook: ch. 01 and 02.", True),
        ("lie", "Go.\n\nBook: ch. 01; the\nintroduction.", True),
        ("fly", "Go.", True),
    ],
)
def test_the_test_itself_looks_for_names_in_chapters(tmp_path, name, docstring, shown):
    folder = tmp_path / "book"
    folder.mkdir()
    texts = {
        "01-a.md": "`walk()`",
        "02-b.md": "sit\n",
        "intro.md": "lie",
        "03.md": "fly",
    }
    for file, text in texts.items():
        (folder / file).write_text(text)
    assert is_shown(tmp_path, name, docstring) is shown


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ('"""A: b."""\nx = 1\n"""Rows: two."""', ["x"]),
        ('x: int = 1\n"""One; see :func:`f`.\nAs: so."""', []),
        ('class C:\n    x = 1\n    """Rows:\n    two."""', []),
        ("class C:\n    @property\n    def x(self):\n        'int: rows'", ["x"]),
        ("def f():\n    'Rows: two.'", []),
    ],
)
def test_the_test_itself_sees_values_described_by_type(code, bad):
    source = type("Source", (), {"tree": ast.parse(code)})
    found = [name for name, text in described_values(source) if reads_as_type(text)]
    assert found == bad
