"""What a page reaches: modules of the package by name, scripts, and files beside it.

The code cells of a page are followed through their imports. Behind the face of a room
(``from minifast.callbacks import Recorder``) only the module that defines the name is
followed, although Python loads the whole room: so a change of one callback concerns the
pages that use it and no others. What can't be read (a cell that doesn't parse, a
room that is handed on as a whole) counts as reaching all there is.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
MAGIC = re.compile(r"^(?P<indent>\s*)(?P<magic>[%!].*)$")
UNREAD = {".pyc", ".md"}  # compiled files, and the pages themselves

Target = tuple[str, str | None]  # a module, and a name in it or all of it


@dataclass(frozen=True)
class Source:
    """The text of a page, as far as executing it is concerned.

    Attributes:
        front: Its front matter, without the lines that enclose it.
        cells: Its code cells, each with its header.
    """

    front: str
    cells: list[str]

    @property
    def digest(self) -> str:
        """Short name of the cells and of how they are to be executed."""
        return digest("\0".join([self.front, *self.cells]).encode())

    @property
    def declared(self) -> list[str]:
        """Files that the front matter names under ``depends_on``."""
        try:
            read = yaml.safe_load(self.front)
        except yaml.YAMLError:
            return []
        named = read.get("depends_on", []) if isinstance(read, dict) else []
        return [named] if isinstance(named, str) else [str(each) for each in named]


def read_source(text: str) -> Source:
    """Find the front matter and the code cells in the text of a page."""
    front, body = "", text
    if text.startswith("---\n") and "\n---\n" in text[3:]:
        front, body = text[4:].split("\n---\n", 1)
    cells: list[str] = []
    lines: list[str] = []
    end = info = ""
    for line in body.splitlines():
        found = FENCE.match(line)
        if end and line.startswith(end) and not line.strip(end[0] + " "):
            if info.startswith("{code-cell}"):
                cells.append("\n".join(lines))
            end = ""
        elif end:
            lines.append(line)
        elif found:
            end, info, lines = found["fence"], found["info"].strip(), []
    return Source(front, cells)


def digest(content: bytes) -> str:
    """Return a short digest, 16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


class Reach:
    """What pages reach, looked up in one state of the package and of the scripts.

    Args:
        package: The folder of the package.
        scripts: A folder of scripts that pages import.
    """

    def __init__(self, package: Path, scripts: Path) -> None:
        self.package = package
        self.scripts = scripts
        self.parsed: dict[Path, ast.Module] = {}
        self.needed: dict[Path, list[Target]] = {}
        self.digests: dict[Path, str] = {}

    def of(self, source: Source, folder: Path) -> dict[str, str]:
        """Return what a page reaches, each file or name with a digest of its content.

        Args:
            source: The page.
            folder: Where it lies, and where its cells are executed.
        """
        page = _Page(self, folder)
        page.follow_cells(source.cells)
        for name in source.declared:
            page.add_file(name)
        return dict(sorted(page.seen.items()))

    def parse(self, file: Path) -> ast.Module:
        """Return a module as a tree, empty if it can't be read."""
        if file not in self.parsed:
            try:
                self.parsed[file] = ast.parse(file.read_bytes())
            except (SyntaxError, ValueError):  # executing the page will say so
                self.parsed[file] = ast.Module([], [])
        return self.parsed[file]

    def needs(self, file: Path) -> list[Target]:
        """Return what a module imports while it runs."""
        if file not in self.needed:
            self.needed[file] = list(self.imports(self.parse(file), file.parent))
        return self.needed[file]

    def imports(self, tree: ast.AST, folder: Path) -> Iterator[Target]:
        """Yield what a piece of code imports, also by names in texts."""
        for node in _running(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, None
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    yield from self.taken(tree, node.module, alias, folder)
        for text in _texts(tree):  # what importlib may be asked for
            if text.startswith(f"{self.package.name}.") and self.file_of(text, folder):
                yield text, None

    def taken(
        self, tree: ast.AST, module: str, alias: ast.alias, folder: Path
    ) -> Iterator[Target]:
        """Yield what ``from module import name`` takes: a name, or names of a room."""
        whole = f"{module}.{alias.name}"
        if alias.name == "*":
            yield module, None
        elif self.file_of(whole, folder):
            yield from ((whole, name) for name in _used(tree, alias))
        else:
            yield module, alias.name

    def digest_of(self, file: Path) -> str:
        """Return a digest of a file's content."""
        if file not in self.digests:
            self.digests[file] = digest(file.read_bytes())
        return self.digests[file]

    def has_changed(self) -> bool:
        """Tell whether a file is no longer what it was when pages were followed."""
        return any(
            not file.is_file() or digest(file.read_bytes()) != known
            for file, known in self.digests.items()
        )

    def file_of(self, module: str, folder: Path) -> Path | None:
        """Return the file of a module of the package, or of a script."""
        first, *rest = module.split(".")
        if first == self.package.name and all(rest):
            path = self.package.joinpath(*rest)
            files = [path / "__init__.py"]
            files += [path.with_name(f"{path.name}.py")] if rest else []
        else:
            files = [place / f"{module}.py" for place in (folder, self.scripts)]
        return next((file for file in files if file.is_file()), None)


class _Page:
    """Follows the imports of one page from name to name; ``seen`` is what it found."""

    def __init__(self, found: Reach, folder: Path) -> None:
        self.found = found
        self.package = found.package
        self.folder = folder
        self.seen: dict[str, str] = {}
        self.visited: set[Target] = set()

    def follow_cells(self, cells: list[str]) -> None:
        """Follow the code of a page, as one text."""
        body: list[ast.stmt] = []
        for cell in cells:
            code, magics = split_cell(cell)
            for word in " ".join(magics).split():
                self.add_file(word)
                if word.lstrip("!%") == self.package.name:  # on the command line
                    self.visit((f"{self.package.name}.cli", None))
            try:
                body += ast.parse(code).body
            except (SyntaxError, ValueError):
                self.visit_all()
        tree = ast.Module(body, [])
        self.follow(tree)
        for text in _texts(tree):
            self.add_file(text)

    def follow(self, tree: ast.AST) -> None:
        """Visit all that a piece of code imports."""
        for target in self.found.imports(tree, self.folder):
            self.visit(target)

    def visit(self, target: Target) -> None:
        """Note a module or a name of it, and follow what that needs in turn."""
        file = self.found.file_of(target[0], self.folder)
        if target in self.visited or file is None:
            return
        self.visited.add(target)
        module, name = target
        if file.is_relative_to(self.package):
            self.note(self.package.name, self.package / "__init__.py")
            self.note_data(file.parent)
        if name is not None and file.name == "__init__.py":
            self.visit_name(module, name, file)
            return
        self.note(module, file)
        for needed in self.found.needs(file):
            self.visit(needed)

    def visit_name(self, module: str, name: str, face: Path) -> None:
        """Follow one name that a room's face hands out."""
        bound = dict(_bindings(self.found.parse(face)))
        origin = bound.get(name)
        if isinstance(origin, tuple):
            self.visit(origin)
        elif isinstance(origin, ast.stmt):
            lines = face.read_bytes().splitlines()
            text = b"\n".join(lines[origin.lineno - 1 : origin.end_lineno])
            self.seen[f"{module}.{name}"] = digest(text)
            self.follow(origin)
            for used in {n.id for n in ast.walk(origin) if isinstance(n, ast.Name)}:
                if used in bound:
                    self.visit((module, used))
        else:
            submodule = f"{module}.{name}"
            known = self.found.file_of(submodule, self.folder)
            self.visit((submodule if known else module, None))

    def visit_all(self) -> None:
        """Note all there is in the package."""
        for file in sorted(self.package.rglob("*.py")):
            parts = file.relative_to(self.package.parent).with_suffix("").parts
            self.visit((".".join(parts).removesuffix(".__init__"), None))

    def note(self, label: str, file: Path) -> None:
        """Note the content of a file."""
        self.seen[label] = self.found.digest_of(file)

    def note_data(self, folder: Path) -> None:
        """Note what lies beside a module without being one."""
        for file in folder.iterdir():
            if file.is_file() and file.suffix not in {".py", ".pyc"}:
                self.note(file.relative_to(self.package.parent).as_posix(), file)

    def add_file(self, name: str) -> None:
        """Note a file or a folder of files, if that is what a text names."""
        if not name.strip("./") or len(name) > 200 or not name.isprintable():
            return
        path = self.folder / name
        if path.is_file():
            self.note(name, path)
        elif path.is_dir() and not self.holds_page(path):
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix not in UNREAD:
                    self.note(f"{name}/{file.relative_to(path).as_posix()}", file)

    def holds_page(self, folder: Path) -> bool:
        """Whether a folder is one that the page lies in."""
        return self.folder.resolve().is_relative_to(folder.resolve())


def split_cell(cell: str) -> tuple[str, list[str]]:
    """Part a cell into Python, and its header and magics as they stand."""
    lines = cell.splitlines()
    if lines and lines[0].strip() == "---" and "---" in lines[1:]:
        lines = lines[lines.index("---", 1) + 1 :]
    while lines and re.match(r":[\w-]+:", lines[0]):
        lines.pop(0)
    magics = [found["magic"] for line in lines if (found := MAGIC.match(line))]
    code = [MAGIC.sub(r"\g<indent>pass", line) for line in lines]
    return "\n".join(code), magics


def _used(tree: ast.AST, alias: ast.alias) -> list[str | None]:
    """Return the names that are taken from an imported room; None for all of them."""
    room = alias.asname or alias.name
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    times = sum(node.id == room for node in nodes)
    taken = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == room
    ]
    return [None] if times != len(taken) or not taken else sorted(set(taken))


def _bindings(face: ast.Module) -> Iterator[tuple[str, Target | ast.stmt]]:
    """Yield the names of a face: where each is imported from, or its definition."""
    for node in face.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, (node.module, alias.name)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree, without what is there for type checkers alone."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from _running(child)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a piece of code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
