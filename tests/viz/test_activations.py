import pytest
import torch
from torch import nn

from minifast.callbacks import ActivationStats
from minifast.errors import OptionError
from minifast.viz import plot_activations, plot_dead_units, plot_histograms


@pytest.fixture
def stats(make_learner):
    stats = ActivationStats()
    learn = make_learner(stats)
    n = learn.model.in_features
    learn.model = nn.Sequential(
        nn.Linear(n, 8),
        nn.ReLU(),
        nn.Linear(8, 8),
        nn.ReLU(),
        nn.Linear(8, 1),
        nn.Tanh(),
    )
    learn.opt = torch.optim.SGD(learn.model.parameters(), lr=0.1)
    learn.fit(2)
    return stats


def test_means_and_deviations_have_a_line_for_each_layer(stats):
    means, stds = plot_activations(stats)
    for ax, values in ((means, stats.means), (stds, stats.stds)):
        assert len(ax.lines) == 3
        for i, line in enumerate(ax.lines):
            assert line.get_ydata().tolist() == values[:, i].tolist()
    assert [text.get_text() for text in stds.get_legend().get_texts()] == stats.names


def test_histograms_have_a_column_for_each_batch(stats):
    axes = plot_histograms(stats)
    # The book's style, which another test may have set, has titles at the left.
    titles = [ax.get_title() or ax.get_title(loc="left") for ax in axes]
    assert titles == stats.names
    image = axes[1].images[0]
    shown = torch.from_numpy(image.get_array().data)
    torch.testing.assert_close(shown, torch.log1p(stats.histograms[:, 1].T * 1e4))
    assert list(image.get_extent()) == [0, len(stats.means), *stats.limits]


def test_the_share_of_dead_units_is_in_per_cent(stats):
    ax = plot_dead_units(stats)
    assert ax.lines[0].get_ydata().tolist() == (100 * stats.dead[:, 0]).tolist()
    assert ax.get_ylim() == (0, 100)


@pytest.mark.parametrize("plot", [plot_activations, plot_histograms, plot_dead_units])
def test_nothing_recorded_is_refused(plot):
    with pytest.raises(OptionError, match="at least one batch"):
        plot(ActivationStats())


def test_histograms_that_were_not_recorded_are_refused(stats):
    stats.bins = 0
    with pytest.raises(OptionError, match="must have been recorded"):
        plot_histograms(stats)
