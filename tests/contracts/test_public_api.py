"""What the rooms hand out is written down in public_api.txt: no change by chance."""

import ast
import importlib
import inspect
import os
import re
from pathlib import Path

SNAPSHOT = Path(__file__).with_name("public_api.txt")
UPDATE = "MINIFAST_UPDATE_API=1 python -m pytest tests/contracts/test_public_api.py"
HEAD = f"""\
The names that each room hands out, with the public methods of classes. A test compares;
write anew:
{UPDATE}
"""


def is_face(source):
    """A room's ``__init__``, or a room that is a single file."""
    return source.is_public and source.name.count(".") <= 1


def exported(source):
    """The names of ``__all__``, or else what the module itself defines."""
    defined = []
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            defined.append(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.append(node.target.id)
    return [name for name in defined if not name.startswith("_")]


def described(face, name):
    """The name, for a class with the public methods that it defines itself."""
    if face == "minifast":
        return f"  {name}"  # of a room, where it is described
    value = getattr(importlib.import_module(face), name)
    if not inspect.isclass(value):
        return f"  {name}"
    methods = sorted(
        method
        for method, how in vars(value).items()
        if not method.startswith("_") and (callable(how) or hasattr(how, "__func__"))
    )
    return f"  {name}: {', '.join(methods)}" if methods else f"  {name}"


def write_down(sources):
    lines = [HEAD]
    for source in filter(is_face, sources):
        names = sorted(exported(source))
        if names:
            lines += [source.name, *(described(source.name, n) for n in names), ""]
    return "\n".join(lines)


def test_public_names_are_those_written_down(sources):
    now = write_down(sources)
    if os.environ.get("MINIFAST_UPDATE_API"):
        SNAPSHOT.write_text(now, encoding="utf-8")
    before = SNAPSHOT.read_text(encoding="utf-8")
    assert now == before, f"Public names have changed. If that is meant, run\n{UPDATE}"


def test_a_face_hands_out_no_private_names(sources):
    for source in filter(is_face, sources):
        assert not [name for name in exported(source) if name.startswith("_")]


def test_no_module_bears_the_name_of_what_its_package_hands_out(sources):
    """Or ``import minifast.data.fetch as m`` would give the function."""
    modules = {source.name for source in sources}
    handed_out = {f"{s.name}.{name}" for s in sources for name in exported(s)}
    assert not modules & handed_out


def test_whatever_a_room_hands_out_is_on_an_api_page(sources, root):
    pages = (root / "book" / "api").glob("*.md")
    texts = (page.read_text(encoding="utf-8") for page in pages)
    documented = [m for t in texts for m in re.findall(r"automodule:: (\S+)", t)]
    defined = {
        getattr(getattr(importlib.import_module(source.name), name), "__module__", "")
        for source in filter(is_face, sources)
        for name in exported(source)
    }
    ours = {name for name in defined if name.startswith("minifast.")}
    assert ours - {"minifast.cli"} <= set(documented), "Add them to book/api"
    assert len(documented) == len(set(documented)), "One module is on two pages"
