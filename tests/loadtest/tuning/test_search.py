from __future__ import annotations

import math

import pytest

from exporters.recipe_sections import TargetRecipe
from loadtest.tuning.errors import NeverKeptError
from loadtest.tuning.measuring import Attempt, Measurement, find_rate
from loadtest.tuning.search import Tuning, search
from loadtest.tuning.settings import Axis, usual_axes
from tests.loadtest.tuning.simulated import BEST, LIMIT_MS, SimulatedMeasure, formula_rps

NOW = TargetRecipe()


def tuned(measure: SimulatedMeasure, current: TargetRecipe = NOW) -> Tuning:
    tuning = Tuning.of(current, usual_axes(2), LIMIT_MS)
    search(tuning, measure)
    return tuning


def test_search_finds_the_best_setting_of_a_known_service() -> None:
    tuning = tuned(SimulatedMeasure())

    assert tuning.best == BEST
    assert tuning.is_complete
    # The rates are found to within 2 per cent, and there are two of them in a ratio.
    assert tuning.gain_ratio == pytest.approx(formula_rps(BEST) / formula_rps(NOW), rel=0.04)
    assert tuning.tried < tuning.possible / 10


def test_search_finds_it_in_spite_of_noise_and_of_a_machine_that_grows_slower() -> None:
    # Of 60 measurements the last is a quarter slower than the first.
    tuning = tuned(SimulatedMeasure(noise_ratio=0.015, drift_ratio=0.995))

    assert formula_rps(tuning.best) > 0.9 * formula_rps(BEST)
    assert tuning.drift_ratio is not None
    assert 0.6 < tuning.drift_ratio < 0.9


def test_search_measures_the_current_setting_first_and_at_the_end() -> None:
    tuning = tuned(SimulatedMeasure())

    whys = [each.why for each in tuning.measurements if each.candidate == NOW]
    assert whys[0] == "as it is, at first"
    assert whys[-2:] == ["as it is, at the end"] * 2


def test_search_that_starts_at_the_best_setting_keeps_it() -> None:
    tuning = tuned(SimulatedMeasure(noise_ratio=0.01), BEST)

    assert tuning.best == BEST
    assert tuning.gain_ratio == 1.0


def test_search_takes_nothing_that_is_better_by_luck_alone() -> None:
    measure = SimulatedMeasure(noise_ratio=0.03, sustained_rps=lambda _: 80.0)

    assert tuned(measure).best == NOW


def test_search_that_is_interrupted_leaves_the_best_so_far() -> None:
    measure = SimulatedMeasure()
    tuning = Tuning.of(NOW, usual_axes(2), LIMIT_MS)

    def interrupted(candidate: TargetRecipe, why: str) -> Measurement:
        if measure.count == 9:
            raise KeyboardInterrupt
        return measure(candidate, why)

    with pytest.raises(KeyboardInterrupt):
        search(tuning, interrupted)

    assert not tuning.is_complete
    assert (tuning.best.image_instances, tuning.best.image_threads) == (1, 2)
    assert len(tuning.measurements) == 9


def test_search_whose_time_is_over_compares_what_it_has() -> None:
    measure = SimulatedMeasure()
    tuning = Tuning.of(NOW, usual_axes(2), LIMIT_MS)

    search(tuning, measure, is_over=lambda: measure.count > 5)

    assert tuning.is_complete
    assert tuning.measurements[-1].why == "as it is, at the end"


def test_search_stops_when_the_current_setting_keeps_no_rate() -> None:
    with pytest.raises(NeverKeptError, match="even at 2"):
        tuned(SimulatedMeasure(sustained_rps=lambda _: 1.0))


def test_candidate_that_cannot_be_served_is_not_taken() -> None:
    measure = SimulatedMeasure()

    def fails_with_threads(candidate: TargetRecipe, why: str) -> Measurement:
        if candidate.image_threads > 1:
            return Measurement(candidate, why, ())
        return measure(candidate, why)

    tuning = Tuning.of(NOW, (Axis(("image_threads",), ((1,), (2,))),), LIMIT_MS)
    search(tuning, fails_with_threads)

    assert tuning.best == NOW


@pytest.mark.parametrize("sustained_rps", [40.0, 50.0, 73.0, 111.0])
def test_find_rate_comes_within_three_per_cent(sustained_rps: float) -> None:
    def attempt(rate_rps: float) -> Attempt:
        return Attempt(rate_rps, 1.0, 1.0, is_kept=rate_rps <= sustained_rps)

    tried = find_rate(attempt, 60.0, 8)

    best_rps = max(each.rate_rps for each in tried if each.is_kept)
    assert best_rps <= sustained_rps < 1.03 * best_rps


def test_find_rate_gives_up_on_what_is_hopeless() -> None:
    tried = find_rate(lambda rate: Attempt(rate, math.inf, math.inf, is_kept=False), 60.0, 50)

    assert len(tried) == 4  # 60, 50, 42, 35: the next would be below half
