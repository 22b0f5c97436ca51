"""Docstrings are read from sources, and only their English is kept."""

import sys
import sysconfig

import pytest

from minifast.datasets.standin import docstrings
from minifast.datasets.standin.docstrings import prose, read_docstrings, source_files

SOURCE = '''
"""A module about birds that sing."""
raise RuntimeError("must not be imported")
class Robin:
    """A small bird with a red breast.

    >>> Robin()

    It sings in the garden all winter."""
    def sing(self):
        """Sing the song of the robin."""
        def inner():
            """Hidden, but a sentence all the same."""
async def fly(
):
    """Fly from here to there."""
'''


@pytest.fixture
def package(tmp_path):
    files = {
        "birds/__init__.py": SOURCE,
        "birds/nest.py": '"""One nest has many eggs."""',
        "birds/tests/test_nest.py": '"""A test is not wanted here."""',
        "birds/broken.py": "def f(:\n",
        "birds/null.py": "x = '\0'",
        "birds/latin.py": "# \xe9".encode("latin-1"),
        "birds/escapes.py": '"""Escapes like \\d make a warning here."""',
        "birds/silent.py": "x = 1\n",
    }
    for path, content in files.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def test_reads_in_the_order_of_the_files_and_their_lines(package):
    found = read_docstrings(source_files(package / "birds"), package)
    assert [(doc.module, doc.section, doc.paragraphs[0]) for doc in found] == [
        ("birds", "", "A module about birds that sing."),
        ("birds", "Robin", "A small bird with a red breast."),
        ("birds", "Robin", "Sing the song of the robin."),
        ("birds", "Robin", "Hidden, but a sentence all the same."),
        ("birds", "", "Fly from here to there."),
        ("birds.nest", "", "One nest has many eggs."),
    ]
    assert found[1].paragraphs[1] == "It sings in the garden all winter."


def test_a_package_s_own_module_is_named_by_its_folder(package):
    found = read_docstrings([package / "birds" / "__init__.py"], package / "birds")
    assert found[0].module == "birds"


def test_what_is_not_there_is_passed_over(package):
    assert read_docstrings([package / "gone.py", package], package.parent) == []
    assert source_files(package / "gone") == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Return the ``sum`` and ``mean`` of it.", "Return the sum and mean of it."),
        ("Call :func:`~os.walk` on the folder.", "Call os.walk on the folder."),
        ("See `the guide <guide.html>`_ for more.", "See the guide for more."),
        ("This is *very* much **the** point.", "This is very much the point."),
        ("    An indented block may be prose.", "An indented block may be prose."),
        ("One line\nand another line.", "One line and another line."),
        ('"Quoted" words may come first.', '"Quoted" words may come first.'),
    ],
)
def test_markup_goes_and_words_stay(text, plain):
    assert prose(text) == [plain]


@pytest.mark.parametrize(
    "text",
    [
        "Too short.",
        "no capital letter at the start of it.",
        "No full stop at the end of it",
        "Args:\n    x: The thing that is meant.",
        "- A list has items like this one.",
        ">>> print('Hello to all of you.')",
        "See https://example.org for more on this.",
        "Make a {dict} of all the things.",
        "Return a[0], b[1], c[2] * d + e[x].",
        "A | B | C is a row of a table.",
        "A lone surrogate \udc80 can't be written.",
    ],
)
def test_what_does_not_read_as_english_goes(text):
    assert prose(text) == []


def test_the_standard_library_is_read_from_its_folder(package, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(package))
    monkeypatch.setattr(sys, "stdlib_module_names", {"birds", "gone"})
    assert len(docstrings.standard_library()) == 6
    monkeypatch.setattr(sys, "stdlib_module_names", {"gone"})
    assert docstrings.standard_library() == []


def test_torch_is_read_from_its_folder(package, monkeypatch):
    monkeypatch.setattr(docstrings.torch, "__path__", [str(package)])
    assert len(docstrings.torch_library()) == 6


def test_this_install_has_docstrings_to_read():
    files = [docstrings.Path(argparse_source())]
    found = read_docstrings(files, files[0].parent)
    assert {doc.module for doc in found} == {"argparse"}
    assert len(found) > 5


def argparse_source():
    import argparse

    return argparse.__file__
