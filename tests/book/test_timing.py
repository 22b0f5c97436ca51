import sys

import pytest

from minifast.book import Timing, format_count, format_time, measure, measure_each
from minifast.errors import OptionError


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (2.5e-9, "2.5 ns"),
        (1e-13, "0.0001 ns"),
        (999e-6, "999 µs"),
        (0.99996, "1 s"),
        (1.5, "1.5 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (-0.25, "-250 ms"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert format_time(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1"), (123456, "123,000"), (9.999, "10"), (0.00123456, "0.00123")],
)
def test_a_count_has_three_digits(value, text):
    assert format_count(value) == text


class Clock:
    """A clock that only advances when the work under test tells it to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def work(self, seconds):
        self.now += seconds


def test_measure_finds_the_time_of_one_call(monkeypatch):
    clock = Clock(monkeypatch)
    timing = measure(lambda: clock.work(0.002), seconds=1.0, rounds=5)
    assert timing.median_s == pytest.approx(0.002)
    assert timing.rounds == 5
    assert timing.calls == pytest.approx(100, abs=1)


def test_measure_leaves_the_first_call_out(monkeypatch):
    clock = Clock(monkeypatch)
    durations = iter([100.0])
    timing = measure(lambda: clock.work(next(durations, 0.1)), seconds=0.3)
    assert timing.high_s == pytest.approx(0.1)


def test_measure_makes_at_least_three_rounds_of_a_slow_function(monkeypatch):
    clock = Clock(monkeypatch)
    timing = measure(lambda: clock.work(60.0), seconds=0.5)
    assert (timing.rounds, timing.calls) == (3, 1)
    assert timing.median_s == pytest.approx(60.0)


def test_measure_reports_quartiles_of_unsteady_times(monkeypatch):
    clock = Clock(monkeypatch)
    durations = iter([1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    timing = measure(lambda: clock.work(next(durations)), seconds=5.0, rounds=5)
    assert (timing.low_s, timing.median_s, timing.high_s) == (2.0, 3.0, 4.0)


def test_measure_waits_for_the_gpu_before_and_after(monkeypatch):
    events = []
    module = sys.modules["minifast.book.timing"]
    monkeypatch.setattr(module, "wait_for_gpu", lambda: events.append("wait"))
    measure(lambda: events.append("call"), seconds=0, rounds=3)
    assert events[:6] == ["wait", "call", "wait", "wait", "call", "wait"]


def test_measure_refuses_too_few_rounds():
    with pytest.raises(OptionError, match=r"at least 3 rounds\.\n  got: rounds=2"):
        measure(lambda: None, rounds=2)


def test_a_timing_reads_well():
    assert str(Timing(0.002, 0.0015, 0.003, 7, 1)) == "2 ms (1.5 ms to 3 ms)"


def test_several_calls_are_timed_by_turns(monkeypatch):
    clock, order = Clock(monkeypatch), []

    def work(name, seconds):
        order.append(name)
        clock.work(seconds)

    both = {"a": lambda: work("a", 0.1), "b": lambda: work("b", 0.2)}
    times = measure_each(both, seconds=0.3, rounds=3)
    assert "".join(order[4:]) == "abababab"[: len(order) - 4]
    assert times["a"].median_s == pytest.approx(0.1)
    assert times["b"].median_s == pytest.approx(0.2)
