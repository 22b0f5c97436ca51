"""The chapters keep the rules, and each rule notices what it is there for."""

import chapter_lint
import pytest
import yaml
from chapter_lint import ROOT, Chapter, lint

CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.md"))

HEAD = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A chapter
"""


def chapter(*parts):
    return Chapter(HEAD + "\n\n".join(parts) + "\n")


def cell(source, header=""):
    return f"```{{code-cell}} python3\n{header}{source}\n```"


def problems(rule, *parts):
    return list(rule(chapter(*parts)))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_the_rules(path, record_property):
    text = Chapter(path.read_text(encoding="utf-8"))
    record_property("words", text.words)
    place = path.relative_to(ROOT).as_posix()
    found = [f"{place}:{line}: {message}" for line, message in lint(text)]
    assert not found, "\n" + "\n".join(found)


def test_the_number_of_a_chapter_is_that_of_its_file():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [each["file"] for part in toc["parts"] for each in part["chapters"]]
    chapters = [name for name in listed if name[0].isdigit()]
    assert chapters == [path.stem for path in CHAPTERS]
    numbered = [
        each["file"]
        for part in toc["parts"]
        if part.get("numbered")
        for each in part["chapters"]
    ]
    assert [int(name[:2]) for name in numbered] == list(range(1, len(numbered) + 1))


def test_magics_are_no_plain_python():
    found = problems(chapter_lint.cells_are_plain_python, cell("%matplotlib inline"))
    assert [line for line, _ in found] == [7]


def test_long_cells():
    rule = chapter_lint.cells_are_short
    assert not problems(rule, cell("\n".join(["x = 1"] * 20)))
    [(line, message)] = problems(rule, cell("\n".join(["x = 1"] * 21)))
    assert (line, message) == (7, "the cell has 21 lines; 20 is most")


def test_the_header_of_a_cell_does_not_count():
    header = "---\nmystnb: {image: {alt: A curve.}}\n---\n"
    assert not problems(
        chapter_lint.cells_are_short, cell("\n".join(["x = 1"] * 20), header)
    )


def test_wide_cells_are_told_by_their_line():
    wide = "y = " + "1 + " * 22 + "1"
    found = problems(chapter_lint.cells_are_narrow, cell(f"x = 1\n{wide}"))
    assert found == [(9, f"{len(wide)} columns; 88 is most")]


def test_star_imports():
    found = problems(chapter_lint.imports_are_named, cell("from torch.nn import *"))
    assert found == [(7, "star import from torch.nn: name what you use")]


@pytest.mark.parametrize(
    "source", ["def claim(): ...", "class Timing: ...", "measure = lambda f: f()"]
)
def test_redefined_names(source):
    [(line, message)] = problems(
        chapter_lint.package_names_are_not_redefined, cell(source)
    )
    assert line == 7
    assert "minifast.book" in message


def test_a_variable_or_an_inner_function_redefines_nothing():
    sources = ["table = [1, 2]", "def f():\n    def claim(): ..."]
    rule = chapter_lint.package_names_are_not_redefined
    assert not problems(rule, *map(cell, sources))


def test_overwritten_imports():
    rule = chapter_lint.imported_names_are_not_overwritten
    imports = cell("from minifast.book import claim, table as shown")
    assert not problems(rule, cell("claim = 1"), imports, cell("table = 2"))
    assert problems(rule, imports, cell("for shown in []:\n    pass")) == [
        (11, "overwrites 'shown', imported from minifast.book")
    ]
    assert not problems(rule, imports, cell("def f():\n    claim = 1"))


@pytest.mark.parametrize(
    ("sentence", "measurement"),
    [
        ("It is 50,000 times faster.", "50,000 times"),
        ("Nearly 97.4% are right.", "97.4%"),
        ("That takes 12 ms here.", "12 ms"),
        ("That takes 3.5 s.", "3.5 s"),
        ("We reach 300 GFLOP/s.", "300 GFLOP"),
        ("An accuracy of 0.97 is good.", "accuracy of 0.97"),
        ("It is twice as fast, 2\u00d7 in all.", "2\u00d7"),
        ("It needs 45 seconds\nof patience.", "45 seconds"),
    ],
)
def test_typed_measurements(sentence, measurement):
    [(line, message)] = problems(chapter_lint.measurements_are_not_typed, sentence)
    assert line == 7
    assert repr(measurement) in message


@pytest.mark.parametrize(
    "sentence",
    [
        "It is {glue:text}`ratio` times faster.",
        "Ciresan reached 0.35% in 2010 {cite}`ciresan2010`.",
        "The course's own page says 94%. <!-- cited -->",
        "The course says 94% <!-- cited --> of them.",
        "With $10\\%$ more, `97%` in code, and 28 by 28 pixels in the 1980s.",
        "Three times seven is a sum of 3 numbers in 10 classes.",
        "See [the page](https://example.org/50%25).",
        "```python\ntook = '12 ms'\n```",
    ],
)
def test_what_is_no_typed_measurement(sentence):
    assert not problems(chapter_lint.measurements_are_not_typed, sentence)


def test_measurements_in_notes_count_and_options_do_not():
    note = ":::{note}\n:class: dropdown\nIt is 9 times faster.\n:::"
    [(line, _)] = problems(chapter_lint.measurements_are_not_typed, note)
    assert line == 9


def test_the_stamp():
    rule = chapter_lint.the_last_cell_stamps
    hidden = ":tags: [remove-input]\n\n"
    assert not problems(rule, cell("x = 1"), cell("stamp()", hidden))
    assert "remove-input" in problems(rule, cell("stamp()"))[0][1]
    assert "stamp()" in problems(rule, cell("stamp()", hidden), cell("x = 1"))[0][1]
    assert "stamp()" in problems(rule, "No cell at all.")[0][1]


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("x = 1", "raises-exception"),
        ("x = 1", "skip-execution"),
        ("x = 1", "remove-stderr"),
        ("warnings.simplefilter('ignore')", ""),
        ("with warnings.catch_warnings():\n    f()", ""),
        ("with np.errstate(over='ignore'):\n    f()", ""),
        ("with redirect_stderr(None):\n    f()", ""),
        ("logging.disable()", ""),
        ("try:\n    claim('It fell.', a < b)\nexcept Exception:\n    pass", ""),
        ("with suppress(Exception):\n    book.claim('It fell.', a < b)", ""),
    ],
)
def test_what_is_switched_off_needs_a_reason(source, tags):
    rule = chapter_lint.what_is_switched_off_has_a_reason
    header = f":tags: [{tags}]\n\n" if tags else ""
    [(line, message)] = problems(rule, cell(source, header))
    assert line == 7
    assert "give a :reason:" in message
    assert not problems(rule, cell(source, f":reason: the page shows it\n{header}"))
    assert problems(rule, cell(source, f':reason: " "\n{header}'))


@pytest.mark.parametrize(
    "source",
    [
        "warnings.simplefilter('error')",
        "try:\n    f()\nexcept ValueError:\n    pass\nclaim('It fell.', a < b)",
        "try:\n    claim('It fell.', a < b)\nfinally:\n    f()",
        "with open(path) as file:\n    claim('It is read.', bool(file.read()))",
    ],
)
def test_what_switches_nothing_off(source):
    rule = chapter_lint.what_is_switched_off_has_a_reason
    assert not problems(rule, cell(source, ":tags: [remove-input]\n\n"))


@pytest.mark.parametrize(
    "imports",
    [
        "from minifast.datasets import fetch",
        "from minifast.datasets.mnist import load_mnist",
    ],
)
def test_the_stamp_names_the_data(imports):
    rule = chapter_lint.the_stamp_names_the_data
    assert not problems(rule, cell(imports), cell("stamp(mnist.data)"))
    assert not problems(rule, cell("from minifast.datasets import data_mode"))
    [(line, _)] = problems(rule, cell(imports), cell("stamp()"))
    assert line == 11


EXERCISE = "```{exercise-start}\n:label: ex-a\n```\nDo it.\n```{exercise-end}\n```"
SOLUTION = "````{solution-start} ex-a\n````\n%s\n````{solution-end}\n````"


def test_exercises():
    rule = chapter_lint.exercises_have_executed_solutions
    assert not problems(rule, EXERCISE, SOLUTION % cell("x = 1"))
    assert problems(rule, EXERCISE) == [(7, "the exercise 'ex-a' has no solution")]
    [(line, message)] = problems(rule, EXERCISE, SOLUTION % "Think.", cell("x = 1"))
    assert (line, message) == (7, "no code cell tests the solution of 'ex-a'")
    unlabelled = EXERCISE.replace(":label: ex-a\n", "")
    assert problems(rule, unlabelled) == [(7, "the exercise has no :label:")]


def test_roles_give_whole_names():
    rule = chapter_lint.roles_name_the_package
    good = "{py:func}`~minifast.book.claim`, {py:func}`it <minifast.book.claim>`"
    assert not problems(rule, good)
    [(line, _)] = problems(rule, "See {py:func}`claim`.")
    assert line == 7


def test_length_counts_words_of_prose_alone():
    text = "Four words of prose. $a b c$ `code here`\n\n" + cell("a = 1  # no word")
    title, formula, code = 2, 1, 1
    assert chapter(text).words == title + 4 + formula + code
    assert problems(chapter_lint.length_is_right, text)
    assert not problems(chapter_lint.length_is_right, "word " * 2000)


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ('claim("It falls.", a > b)', 1),
        ('claim("It falls.", a > b, unless=a > a)', 0),
        ('claim("It falls.", a > b, reason="an identity")', 0),
        ('other.claim("It falls.", a > b)', 0),
        ("for x in y:\n    claim('It falls.', x)", 1),
    ],
)
def test_claims_without_a_counterexample(source, faults):
    found = problems(chapter_lint.claims_name_their_counterexample, cell(source))
    assert len(found) == faults
    assert all(line > 7 for line, _ in found)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ours is faster.",
        "The new one is\nnearly the same.",
        "With more epochs it catches up.",
        "That is the *longest* of them.",
        "It is just as good as the other, and more expensive.",
    ],
)
def test_comparisons_without_a_measurement(sentence):
    rule = chapter_lint.comparisons_are_backed
    assert problems(rule, "First.", sentence, cell("x = 1"))
    assert problems(rule, cell("claim('a', b)"), cell("x = 1"), sentence, cell("y = 2"))
    assert not problems(rule, f"{sentence} It takes {{glue:text}}`time`.")
    assert not problems(rule, f"{sentence} {{cite:t}}`he2015` measured it.")
    assert not problems(rule, cell("claim('a', b)"), sentence)
    assert not problems(rule, sentence, cell("record('a', b)"))
    assert not problems(rule, f"{sentence} <!-- no comparison -->")


@pytest.mark.parametrize(
    "sentence",
    ["Which is faster?", "At best it stops.", "`faster` is a name.", "It is large."],
)
def test_what_compares_nothing(sentence):
    assert not problems(chapter_lint.comparisons_are_backed, sentence)


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = 1\nclaim('a', x)", 0),
        ("claim('a', x)\nclaim('b', y)", 1),
        ("claim('a', x)\nprint(x)", 1),
        ("said = claim('a', x)\nsaid", 0),
        ("table(rows)\nclaim('a', x)", 1),
        ("show(f)\nbook.table(rows)\nx = 1", 2),
        ("table(rows)\nx", 1),
        ("display(table(rows))\nx", 0),
        ("x = 1\nshow(f);", 1),
        ("for row in rows:\n    table(row)", 1),
        ("if x:\n    y = 1\nelse:\n    show(f)", 1),
        ("x.shape\ny.shape", 1),
        ("x @ y\nf(x)\nplt.plot(x);", 1),
        ("with raises(ValueError):\n    x + y\nf(x)", 0),
        ("def f():\n    table(rows)\nf()", 0),
        ("try:\n    claim('a', x)\nexcept ClaimError:\n    show(f)\nf()", 1),
        ("record('a', x)\nx", 0),
    ],
)
def test_what_is_not_shown(source, faults):
    rule = chapter_lint.what_is_to_be_seen_ends_its_cell
    found = problems(rule, cell(source))
    assert len(found) == faults
    assert all(line > 7 and "is not shown" in message for line, message in found)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (SOLUTION % cell("x = 1"), []),
        ("`````{solution-end}\n\n`````", []),
        (":::{note}\n" + cell("x = 1") + "\n:::", []),
        ("````markdown\n```{solution-end}\nText.\n```\n````", []),
        ("~~~python\nx = 1\n~~~", []),
        ("````{solution-end}\n\nText.\n\n````{solution-start} b\n````", [7]),
        ("```{exercise-start}\n:label: a\nDo it.\n```", [7]),
        ("Text.\n\n````{solution-end}", [9]),
        ("```{code-cell} python3\nx = 1", [7]),
        ("````{note}\nText.\n```", [7]),
    ],
)
def test_fences_that_are_not_closed(text, lines):
    found = problems(chapter_lint.fences_are_closed, text)
    assert [line for line, _ in found] == lines


@pytest.mark.parametrize(
    "words",
    ["Nobody knows.", "after a training.", "It shall be two.", "We *normalise* it.",
     "the last chapter but one", "something else than that"],
)  # fmt: skip
def test_words_that_an_editor_would_strike_out(words):
    assert len(problems(chapter_lint.words_are_plain, words)) == 1


@pytest.mark.parametrize(
    "words",
    ["a training set", "a normalized image", "`nobody`", "promise, precise, exercise",
     "a bodyguard", "```python\nnobody = 1\n```"],
)  # fmt: skip
def test_plain_words_pass(words):
    assert problems(chapter_lint.words_are_plain, words) == []


def test_code_that_measures_is_a_tenth_at_most():
    work = "\n".join(f"x{i} = {i}" for i in range(9))
    measuring = 'record(\n    "x",\n    x0,\n)\n# a remark'
    rule = chapter_lint.plumbing_is_a_tenth
    (found,) = problems(rule, cell(work), cell(measuring))
    assert "4 of 13 lines" in found[1]
    assert problems(rule, cell(work), cell('record("x", x0)')) == []
    assert problems(rule, cell(work), cell('learn.record(\n"x")\nclaim(\n"x")')) == []
