"""Every public name says what it is, its shapes, and where the book explains it."""

import ast
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
