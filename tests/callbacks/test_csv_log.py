import csv

from minifast.callback import Callback
from minifast.callbacks.csv_log import CSVLogger


class Figures(Callback):
    def after_epoch(self, learn):
        learn.row["valid_loss"] = 0.5 / (1 + len(learn.history))
        if learn.epoch:
            learn.row["accuracy"] = 0.75


def test_the_file_holds_all_rows_with_missing_figures_empty(make_learner, tmp_path):
    path = tmp_path / "logs" / "a.csv"
    learn = make_learner(Figures(), CSVLogger(path))
    learn.fit(2)
    learn.fit(1)
    assert path.read_text() == (
        "epoch,valid_loss,accuracy\n0,0.25,\n1,0.16666666666666666,0.75\n0,0.125,\n"
    )
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert float(rows[1]["valid_loss"]) == learn.history[1]["valid_loss"]


def test_each_epoch_is_on_disk_at_once(make_learner, tmp_path):
    path, lines = tmp_path / "a.csv", []

    class Look(Callback):
        order = 61

        def after_epoch(self, learn):
            lines.append(len(path.read_text().splitlines()))

    make_learner(Look(), CSVLogger(path)).fit(2)
    assert lines == [2, 3]
