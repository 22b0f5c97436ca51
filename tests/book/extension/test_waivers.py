import pytest
from minifast_book.waivers import loads_data, unexplained
from nbformat.v4 import new_code_cell


def test_each_thing_that_is_switched_off_is_told():
    source = (
        "warnings.simplefilter('ignore')\ntry:\n    claim('a', b)\nexcept E:\n    f()"
    )
    cell = new_code_cell(source, metadata={"tags": ["raises-exception", "hide-input"]})
    told = [problem.split()[:3] for problem in unexplained(cell)]
    assert told == [
        ["the", "tag", "raises-exception"],
        ["simplefilter()", "silences", "what"],
        ["claim()", "stands", "where"],
    ]
    cell.metadata["reason"] = "the page shows it"
    assert not list(unexplained(cell))


def test_what_is_no_python_is_left_to_others():
    assert not list(unexplained(new_code_cell("%magic")))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\n!gcc -O2 a.c", ["nobody asks whether !gcc -O2 a.c succeeded"]),
        ("%%bash --no-raise-error\nfalse", ["nobody asks whether %%bash"]),
        ("_ = os.system('exit 3')", ["nobody asks whether os.system() succeeded"]),
        ("subprocess.run(x)", ["nobody asks whether subprocess.run() succeeded"]),
        ("subprocess.run(x, check=True)", []),
        ("subprocess.run(x, check=False)", []),  # it is said that it may fail
        ("%%bash\nfalse", []),  # raises if the last command fails
        ("assert a != b", []),
    ],
)
def test_a_command_whose_failure_nobody_would_see_is_told(source, told):
    found = list(unexplained(new_code_cell(source)))
    assert len(found) == len(told)
    assert all(
        problem.startswith(text) for problem, text in zip(found, told, strict=True)
    )


@pytest.mark.parametrize(
    ("source", "loads"),
    [
        ("from minifast.datasets import fetch", True),
        ("from minifast.datasets.mnist import load_mnist as load", True),
        ("from minifast.datasets import data_mode", False),
        ("from elsewhere import fetch", False),
        ("%magic", False),
    ],
)
def test_what_a_page_imports_tells_whether_it_takes_data(source, loads):
    assert loads_data(["x = 1", source]) is loads
