"""Recalibration repairs what was planted and harms nothing that is in order."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import minimize

from mmrare_judge.calibration.analyses.recalibration import (
    Beta,
    Curve,
    Isotonic,
    Method,
    Platt,
    Recalibration,
    Recalibrator,
    Unchanged,
    Verdicts,
    fitted,
    folds_of,
    recalibrate,
)
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.errors import ConfigError, InputError, MissingExtraError

FITTED: list[Method] = ["platt", "beta", "isotonic"]
METHODS = pytest.mark.parametrize("method", FITTED)
CASES = np.arange(1200) // 4


def stated(seed: int, n: int = 1200) -> Floats:
    return np.random.default_rng(seed).uniform(0.5, 0.999, n)


def outcomes(chance: Floats, seed: int) -> Floats:
    return (np.random.default_rng(100 + seed).random(len(chance)) < chance).astype(float)


def logistic(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)))


OVERSURE = Platt(a=0.4, c=0.0)


def repaired(method: Method, curve: Curve, seed: int = 0) -> Recalibration:
    p = stated(seed)
    right = outcomes(curve.value(p), seed)
    return recalibrate(p, right, clusters=CASES, method=method, seed=seed)


def test_maps_worked_by_hand() -> None:
    half = np.array([0.5])
    # odds 9, to the power of 1/2: 3, that is 3/4
    assert Platt(a=0.5, c=0).value(np.array([0.9])) == pytest.approx(0.75)
    # 2 ln .5 - ln .5 = -ln 2: odds 1/2, that is 1/3
    assert Beta(a=2, b=1, c=0).value(half) == pytest.approx(1 / 3)
    steps = Isotonic(stated=(0.5, 0.9), right=(0.4, 0.8))
    assert steps.value(np.array([0.2, 0.7, 1.0])) == pytest.approx([0.4, 0.6, 0.8])
    assert Unchanged().value(half) == 0.5


@pytest.mark.parametrize("curve", [Platt(a=1, c=0), Beta(a=1, b=1, c=0)], ids=["platt", "beta"])
def test_leaving_a_confidence_alone_is_among_the_maps(curve: Curve) -> None:
    p = np.linspace(0.01, 0.99, 50)
    assert curve.value(p) == pytest.approx(p)


def likeliest(terms: Floats, right: Floats) -> Floats:
    """Platt's likelihood with his soft outcomes, by scipy."""
    target = np.where(
        right == 1, (right.sum() + 1) / (right.sum() + 2), 1 / (2 + (1 - right).sum())
    )

    def surprise(weights: Floats) -> float:
        logit = terms @ weights[:-1] + weights[-1]
        return float((np.logaddexp(0, logit) - target * logit).sum())

    return np.asarray(minimize(surprise, np.zeros(terms.shape[1] + 1), method="BFGS").x)


def test_platt_and_beta_are_fitted_by_maximum_likelihood() -> None:
    p = np.random.default_rng(1).beta(2, 1, 500)
    right = outcomes(OVERSURE.value(p), 1)
    odds = np.log(p / (1 - p))
    platt, beta = fitted("platt", p, right), fitted("beta", p, right)
    assert isinstance(platt, Platt)
    assert isinstance(beta, Beta)
    assert [platt.a, platt.c] == pytest.approx(likeliest(odds[:, None], right), abs=1e-3)
    terms = np.column_stack([np.log(p), -np.log(1 - p)])
    assert [beta.a, beta.b, beta.c] == pytest.approx(likeliest(terms, right), abs=1e-3)


def test_isotonic_steps_worked_by_hand() -> None:
    # .2: three wrong and the right one added, 1/4. .5: 2 of 2, .7: 1 of 2, falling, pooled: 3/4.
    # .9: four right and the wrong one added, 4/5.
    p = np.repeat([0.2, 0.5, 0.7, 0.9], [3, 2, 2, 4])
    found = fitted("isotonic", p, np.array([0.0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1]))
    assert found.value(np.array([0.2, 0.5, 0.7, 0.9])) == pytest.approx(
        [1 / 4, 3 / 4, 3 / 4, 4 / 5]
    )


@METHODS
def test_a_planted_miscalibration_is_repaired_on_cases_not_seen(method: Method) -> None:
    found = repaired(method, OVERSURE)
    assert found.recalibrator is not None
    assert found.gain is not None
    assert found.gain.interval is not None
    assert found.gain.interval.low > 0
    grid = np.linspace(0.55, 0.97, 20)
    assert found.recalibrator(grid) == pytest.approx(OVERSURE.value(grid), abs=0.09)
    before, after = found.before, found.after
    assert before is not None
    assert after is not None
    assert before.ece.interval is not None
    assert before.ece.interval.low > 0.05
    assert after.ece.value is not None
    assert after.ece.value < 0.05
    # before: bias^2 + noise; after: the noise that is left, E q (1 - q)
    chance = OVERSURE.value(stated(0))
    assert after.brier.value == pytest.approx((chance * (1 - chance)).mean(), abs=0.01)


def test_a_bend_that_only_beta_knows_is_found_by_it() -> None:
    bent = Beta(a=3.0, b=0.2, c=0.5)
    p = np.random.default_rng(3).uniform(0.02, 0.98, 6000)
    found = fitted("beta", p, outcomes(bent.value(p), 3))
    grid = np.linspace(0.05, 0.95, 30)
    assert found.value(grid) == pytest.approx(bent.value(grid), abs=0.04)
    platt = fitted("platt", p, outcomes(bent.value(p), 3))
    assert np.abs(platt.value(grid) - bent.value(grid)).max() > 0.1


def test_a_calibrated_judge_is_not_harmed_by_choosing() -> None:
    gains, kept = [], 0
    for seed in range(8):
        p = stated(seed, 600)
        found = recalibrate(p, outcomes(p, seed), clusters=CASES[:600], folds=4, seed=seed)
        assert found.gain is not None
        assert found.gain.value is not None
        assert found.gain.interval is None or found.gain.interval.high > 0
        gains.append(found.gain.value)
        kept += found.chosen.count("unchanged")
    assert np.mean(gains) > -0.001
    assert kept >= 8


def test_choosing_repairs_what_a_method_of_its_own_would() -> None:
    p = stated(5)
    right = outcomes(OVERSURE.value(p), 5)
    for found in (
        recalibrate(p, right, clusters=CASES),
        recalibrate(p, right, clusters=CASES, by="log_loss"),
    ):
        assert "unchanged" not in found.chosen
        assert found.gain is not None
        assert found.gain.interval is not None
        assert found.gain.interval.low > 0


def test_a_method_that_was_certain_and_wrong_is_not_chosen_by_log_loss() -> None:
    random = np.random.default_rng(7)
    p = np.where(random.random(800) < 0.5, 1.0, 0.6)
    found = recalibrate(p, outcomes(0.9 * p, 7), clusters=CASES[:800], by="log_loss")
    assert "unchanged" not in found.chosen
    assert found.before is not None
    assert found.before.log_loss.value is None
    assert found.after is not None
    assert found.after.log_loss.value is not None


@METHODS
def test_out_of_fold_a_confidence_that_knows_nothing_gains_nothing(method: Method) -> None:
    """On the verdicts it was fitted to a map looks better than it is; out of fold it does not."""
    random = np.random.default_rng(2)
    p, right = random.random(120), (random.random(120) < 0.5).astype(float)
    found = recalibrate(p, right, clusters=np.arange(120), method=method)
    assert found.recalibrator is not None
    assert found.after is not None
    assert found.after.brier.value is not None
    in_sample = ((found.recalibrator(p) - right) ** 2).mean()
    assert in_sample < 0.25 < found.after.brier.value + 0.005
    assert in_sample < found.after.brier.value


def test_no_case_is_on_both_sides_of_a_fold() -> None:
    codes = np.random.default_rng(0).integers(0, 30, 200)
    data = Verdicts(np.full(200, 0.5), np.ones(200), codes)
    parts = folds_of(data, 5)
    assert sorted(row for _, test in parts for row in test) == list(range(200))
    for train, test in parts:
        assert not set(codes[train]) & set(codes[test])


@METHODS
def test_surer_is_never_read_as_less_likely_right(method: Method) -> None:
    p = stated(1)
    backwards = outcomes(1.4 - p, 1)
    curve = fitted(method, p, backwards)
    values = curve.value(np.linspace(0, 1, 200))
    assert (np.diff(values) >= 0).all()
    assert values == pytest.approx(backwards.mean(), abs=0.05)


@METHODS
def test_confidences_of_one_value_and_of_0_and_1_are_taken(method: Method) -> None:
    right = outcomes(np.full(400, 0.7), 4)
    for value in (0.9, 1.0, 0.0):
        found = fitted(method, np.full(400, value), right).value(np.array([value]))
        assert found == pytest.approx(right.mean(), abs=0.01)


def test_right_and_wrong_told_apart_without_exception_leave_a_finite_map() -> None:
    p = np.repeat([0.4, 0.9], 50)
    for method in FITTED:
        values = fitted(method, p, (p > 0.5).astype(float)).value(np.array([0.4, 0.9]))
        assert values == pytest.approx([0, 1], abs=0.03)


def test_units_without_confidence_or_gold_keep_their_place() -> None:
    p, right = stated(2), outcomes(stated(2), 2)
    p[3], right[10] = np.nan, np.nan
    found = recalibrate(p, right, clusters=CASES, method="platt")
    assert found.recalibrator is not None
    assert found.recalibrator.n == 1198
    assert [row for row, value in enumerate(found.out_of_fold) if value is None] == [3, 10]


def test_the_order_of_units_does_not_matter_and_a_seed_repeats() -> None:
    p, right = stated(6), outcomes(stated(6), 6)
    order = np.random.default_rng(0).permutation(1200)
    first = recalibrate(p, right, clusters=CASES, method="isotonic", seed=3)
    again = recalibrate(p, right, clusters=CASES, method="isotonic", seed=3)
    turned = recalibrate(p[order], right[order], clusters=CASES[order], method="isotonic", seed=3)
    assert first == again
    assert np.array(turned.out_of_fold) == pytest.approx(np.array(first.out_of_fold)[order])


@METHODS
def test_a_stored_map_gives_the_same_numbers(method: Method) -> None:
    found = repaired(method, OVERSURE).recalibrator
    assert found is not None
    stored = found.model_dump_json()
    again = Recalibrator.model_validate_json(stored)
    assert again == found
    grid = np.linspace(0, 1, 101)
    assert (again(grid) == found(grid)).all()
    assert json.loads(stored)["curve"]["method"] == method


APPLIED = """
import sys
sys.modules |= {"sklearn": None, "scipy": None}
from mmrare_judge.calibration.analyses.recalibration import Recalibrator
print(Recalibrator.model_validate_json(sys.argv[1])([0.9, None]).tolist())
"""


def test_a_stored_map_is_applied_without_scikit_learn_and_scipy() -> None:
    stored = Recalibrator(curve=Platt(a=0.5, c=0.0), n=9, clusters=9, right=0.5).model_dump_json()
    command = [sys.executable, "-c", APPLIED, stored]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out == "[0.75, nan]\n"


BROKEN = {
    "falling": {"method": "isotonic", "stated": [0.2, 0.4], "right": [0.9, 0.1]},
    "outside": {"method": "isotonic", "stated": [0.2], "right": [1.5]},
    "unequal": {"method": "isotonic", "stated": [0.2, 0.3], "right": [0.5]},
    "slope below 0": {"method": "platt", "a": -1, "c": 0},
    "not finite": {"method": "platt", "a": "Infinity", "c": 0},
    "unknown": {"method": "spline", "a": 1},
    "too much": {"method": "platt", "a": 1, "c": 0, "b": 1},
}


@pytest.mark.parametrize("curve", BROKEN.values(), ids=BROKEN)
def test_a_broken_map_is_refused(curve: dict[str, object]) -> None:
    whole = {"curve": curve, "n": 1, "clusters": 1, "right": 0.5}
    with pytest.raises(ValidationError):
        Recalibrator.model_validate_json(json.dumps(whole))


ONE_BAD_CASE = np.repeat(np.arange(30) > 0, 10).astype(float)

REFUSED = {
    "few cases": (np.tile([1.0, 0.0], 60), np.arange(120) // 10, "12 cases with confidence"),
    "all right": (np.ones(100), np.arange(100), "100 right and 0 wrong verdicts: 10 of each"),
    "few wrong": (np.arange(100) > 8, np.arange(100), "91 right and 9 wrong verdicts"),
    "one bad case": (ONE_BAD_CASE, np.arange(300) // 10, "without the cases of one fold"),
}


@pytest.mark.parametrize(("right", "cases", "reason"), REFUSED.values(), ids=REFUSED)
def test_with_too_little_to_learn_from_there_is_no_map(
    right: Floats, cases: Floats, reason: str
) -> None:
    found = recalibrate(stated(0, len(right)), right, clusters=cases)
    assert reason in found.reason
    assert (found.recalibrator, found.after, found.out_of_fold) == (None, None, ())


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no method 'spline'; there are unchanged, platt"):
        recalibrate([0.5], [1], method="spline")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no loss 'ece'"):
        recalibrate([0.5], [1], by="ece")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="two are the least"):
        recalibrate([0.5], [1], folds=1)
    with pytest.raises(InputError, match="between 0 and 1"):
        recalibrate([90], [1])


def test_without_scikit_learn_the_message_has_the_install_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for part in ("model_selection", "isotonic", "linear_model"):
        monkeypatch.setitem(sys.modules, f"sklearn.{part}", None)
    with pytest.raises(MissingExtraError, match=r"mmrare-judge\[calibration\]"):
        repaired("platt", OVERSURE)
