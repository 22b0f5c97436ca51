"""The package stays light to import and small to read."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES, FUNCTION_LINES, SMALL_LINES = 250, 40, 40
HEAVY = {"matplotlib", "PIL", "pandas", "IPython", "torchvision"}
# What shows things to a reader may be heavy (see the layers in pyproject.toml), and
# what draws stand-in data, which is imported when there is some to be drawn.
MAY_BE_HEAVY = (
    "minifast.viz",
    "minifast.book",
    "minifast.cli",
    "minifast.datasets.standin",
)

WATCH = """
import json, sys
{before}
loaded, events = set(sys.modules), []
def watch(event, args):
    if event.startswith("socket.") and event != "socket.__new__":
        events.append(event)
    elif event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")):
        events.append("open " + str(args[0]))
sys.addaudithook(watch)
{imports}
new = {{name.partition(".")[0] for name in set(sys.modules) - loaded}}
print(json.dumps([sorted(new), events]))
"""


def watch(imports, before=""):
    """Import in a fresh interpreter; return new top-level names and suspicious acts."""
    code = WATCH.format(before=before, imports=imports)
    command = [sys.executable, "-B", "-c", code]  # -B: writing bytecode is no news
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_minifast_loads_nothing_else():
    modules, events = watch("import minifast")
    assert modules == ["minifast"]
    assert events == []


def test_importing_the_lower_layers_is_light_and_touches_nothing(sources):
    names = [s.name for s in sources if not s.name.startswith(MAY_BE_HEAVY)]
    assert "minifast.foundations.products" in names
    imports = "\n".join(f"import {name}" for name in names)
    modules, events = watch(imports, before="import torch")
    assert HEAVY & set(modules) == set()
    assert events == []


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("open('/dev/null')", "open /dev/null"),
        ("import socket; socket.gethostname()", "socket.gethostname"),
    ],
)
def test_the_watch_itself_sees_files_and_sockets(act, said):
    _, events = watch(act)
    assert said in events


def code_lines(tree, text):
    """The numbers of the lines that hold code: no docstrings, comments, blank lines."""
    explained = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            # A docstring, or the string below an attribute that says what it is.
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
                explained |= set(range(statement.lineno, statement.end_lineno + 1))
    return [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if number not in explained and line.strip() and line.strip()[0] != "#"
    ]


def test_a_module_has_at_most_so_many_lines_of_code(source):
    assert len(code_lines(source.tree, source.text)) <= MODULE_LINES


def test_a_small_module_says_why_it_stands_alone(source, root):
    path = root.joinpath(*source.name.split("."))
    if path.is_dir() or len(code_lines(source.tree, source.text)) >= SMALL_LINES:
        return  # a face, or no small one
    first_line = ast.get_docstring(source.tree).splitlines()[0]
    assert "; apart, as " in first_line, f"{source.name}: {first_line}"


def test_a_function_has_at_most_so_many_lines_of_code(source):
    code = code_lines(source.tree, source.text)

    def length(node):
        return sum(node.lineno <= number <= node.end_lineno for number in code)

    long = {
        node.name: length(node)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and length(node) > FUNCTION_LINES
    }
    assert not long, f"{source.name}: more than {FUNCTION_LINES} lines: {long}"


def test_the_test_itself_counts_lines_of_code_only():
    lines = ['"""A."""', "", "x = 1", '"""What x is."""', "def f():", '    """B."""']
    code = "\n".join([*lines, "    # why", "    return x", ""])
    assert code_lines(ast.parse(code), code) == [3, 5, 8]


def test_imports_name_what_they_import_and_from_where(source):
    imports = (n for n in ast.walk(source.tree) if isinstance(n, ast.ImportFrom))
    bad = [
        ast.unparse(node)
        for node in imports
        if node.level > 0 or any(alias.name == "*" for alias in node.names)
    ]
    assert not bad, f"{source.name}: relative, or with a star: {bad}"


# Imported by their own names: the first needs torch, which its room doesn't; the second
# is heavy, and loaded only when a stand-in is to be made; the third is torch.nn.init's.
OWN_NAMES = {"minifast.datasets.mnist", "minifast.datasets.standin", "minifast.nn.init"}
IMPORT = re.compile(r"^[ >.]*(?:from|import) (minifast(?:\.\w+){2,})", re.MULTILINE)


def readers(root):
    """Yield what uses the package: path, and the room whose insides it may know."""
    for path in [root / "README.md", *sorted((root / "book").rglob("*.md"))]:
        yield path, None
    for folder in ("benchmarks", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            room = path.relative_to(root).parts[1]
            yield path, room.removeprefix("test_").removesuffix(".py")


def test_other_rooms_import_from_the_face(root):
    bad = [
        f"{path.relative_to(root)}: {module}"
        for path, room in readers(root)
        for module in IMPORT.findall(path.read_text(encoding="utf-8"))
        if module.split(".")[1] != room
        and not any(module.startswith(own) for own in OWN_NAMES)
    ]
    assert not bad, "Import from the room's face:\n" + "\n".join(bad)
