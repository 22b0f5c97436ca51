"""The public names of all modules are those in public_api.txt: no change by chance."""

import ast
import os
from pathlib import Path

SNAPSHOT = Path(__file__).with_name("public_api.txt")
UPDATE = "MINIFAST_UPDATE_API=1 python -m pytest tests/contracts/test_public_api.py"
HEAD = f"""\
Public names by module, with the public methods of classes. A test compares; write anew:
{UPDATE}
"""


def public(names):
    return sorted({name for name in names if not name.startswith("_")})


def exported(tree):
    """The names that ``__all__`` lists, or an empty list."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def defined(tree):
    """Yield (name, its methods' names) for what a module itself defines."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inner = (each for each in node.body if isinstance(each, ast.FunctionDef))
            yield node.name, public(each.name for each in inner)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, []
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((each.id, []) for each in targets if isinstance(each, ast.Name))


def write_down(sources):
    lines = [HEAD]
    for source in sources:
        names = {name: [] for name in exported(source.tree)}
        names |= dict(defined(source.tree))
        shown = [
            f"  {name}: {', '.join(names[name])}" if names[name] else f"  {name}"
            for name in public(names)
        ]
        if source.is_public and shown:
            lines += [source.name, *shown, ""]
    return "\n".join(lines)


def test_public_names_are_those_written_down(sources):
    now = write_down(sources)
    if os.environ.get("MINIFAST_UPDATE_API"):
        SNAPSHOT.write_text(now, encoding="utf-8")
    before = SNAPSHOT.read_text(encoding="utf-8")
    assert now == before, f"Public names have changed. If that is meant, run\n{UPDATE}"
