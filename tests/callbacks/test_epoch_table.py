import pytest

from minifast.callbacks.epoch_table import EpochTable, cells, line

ROWS = [
    {"epoch": 0, "valid_loss": 0.53219, "time_s": 1.26},
    {"epoch": 1, "valid_loss": 0.25, "accuracy": 0.9, "time_s": 61.0},
]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("epoch", 12, "12"),
        ("loss", 0.12345678, "0.1235"),
        ("loss", 1.2345e-7, "1.23e-07"),
        ("loss", 12345678.9, "1.23e+07"),
        ("loss", 0.0, "0.0000"),
        ("loss", -2.5, "-2.5000"),
        ("loss", float("nan"), "nan"),
        ("loss", float("inf"), "inf"),
        ("time_s", 1.26, "1.3"),
        ("time_s", 12345.6, "12345.6"),
    ],
)
def test_figures_are_written_to_be_read(name, value, text):
    assert cells({name: value}, [name]) == [text]


def test_lines_stand_below_each_other():
    names = ["epoch", "valid_loss", "accuracy", "time_s"]
    assert [line(row, names) for row in (None, *ROWS)] == [
        "epoch  valid_loss  accuracy    time_s",
        "0          0.5322         -       1.3",
        "1          0.2500    0.9000      61.0",
    ]


def test_a_table_prints_all_names_that_came_up():
    table = EpochTable()
    assert repr(table) == ""
    table.rows += ROWS
    table.note = "stopped: enough"
    assert repr(table).splitlines() == [
        "epoch  valid_loss    time_s  accuracy",
        "0          0.5322       1.3         -",
        "1          0.2500      61.0    0.9000",
        "stopped: enough",
    ]


def test_on_a_page_it_is_one_table_and_text_is_escaped():
    table = EpochTable()
    table.rows += [{"a<b": 1.0}]
    table.note = "<loss>"
    page = table._repr_html_()
    assert page.count("<table") == 1
    assert '<th scope="col">a&lt;b</th>' in page
    assert "<td>1.0000</td>" in page
    assert page.endswith("<p>&lt;loss&gt;</p></div>")
    table.rows, table.note = [], ""
    assert table._repr_html_() == '<div class="results"></div>'
