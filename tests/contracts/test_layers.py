"""The package stays light to import and small to read."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES, FUNCTION_LINES = 300, 40
HEAVY = {"matplotlib", "PIL", "pandas", "IPython", "torchvision"}
# What shows things to a reader may be heavy (see the layers in pyproject.toml), and
# what draws stand-in data, which is imported when there is some to be drawn.
MAY_BE_HEAVY = (
    "minifast.viz",
    "minifast.book",
    "minifast.cli",
    "minifast.data.standin",
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
    assert "minifast.foundations.matmul" in names
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


def test_no_module_is_too_long(source):
    assert len(source.text.splitlines()) <= MODULE_LINES


def length(function):
    """Lines of a function from its ``def`` on, without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    shown = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - shown


def test_no_function_is_too_long(source):
    functions = (
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = {f.name: length(f) for f in functions if length(f) > FUNCTION_LINES}
    assert not long, f"{source.name}: more than {FUNCTION_LINES} lines: {long}"


def test_the_test_itself_counts_lines_without_the_docstring():
    code = 'def f(\n    x,\n):\n    """One\n\n    two.\n    """\n    return x\n'
    assert length(ast.parse(code).body[0]) == 4


def test_imports_name_what_they_import_and_from_where(source):
    imports = (n for n in ast.walk(source.tree) if isinstance(n, ast.ImportFrom))
    bad = [
        ast.unparse(node)
        for node in imports
        if node.level > 0 or any(alias.name == "*" for alias in node.names)
    ]
    assert not bad, f"{source.name}: relative, or with a star: {bad}"
