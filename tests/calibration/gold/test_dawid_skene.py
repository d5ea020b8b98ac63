"""Dawid and Skene's model on their own data, and what a panel cannot tell."""

import math

import numpy as np
import pytest

from mmrare_judge.calibration.gold.consensus import DawidSkene, dawid_skene, majority
from mmrare_judge.errors import InputError

# Dawid and Skene (1979), table 1: 45 patients; observer 1 three times, then observers 2 to 5.
ANAESTHETISTS = """
111-1-1-1-1 333-4-3-3-4 112-2-1-2-2 222-3-1-2-1 222-3-2-2-2 222-3-3-2-2 122-2-1-1-1 333-3-4-3-3
222-2-2-2-3 232-2-2-2-3 444-4-4-4-4 222-3-3-4-3 111-1-1-1-1 222-3-2-1-2 121-1-1-1-1 111-2-1-1-1
111-1-1-1-1 111-1-1-1-1 222-2-2-2-1 222-1-3-2-2 222-2-2-2-2 222-2-2-2-1 222-3-2-2-2 221-2-2-2-2
111-1-1-1-1 111-1-1-1-1 232-2-2-2-2 111-1-1-1-1 111-1-1-1-1 112-1-1-2-1 111-1-1-1-1 333-3-2-3-3
111-1-1-1-1 222-2-2-2-2 222-3-2-3-2 433-4-3-4-3 221-2-2-3-2 232-3-2-3-3 333-3-4-3-2 111-1-1-1-1
111-1-1-1-1 121-2-1-1-1 232-2-2-2-2 121-1-1-1-1 222-2-2-2-2
""".split()

RATINGS = [
    (patient, observer, int(grade))
    for patient, row in enumerate(ANAESTHETISTS, 1)
    for observer, grades in enumerate(row.split("-"), 1)
    for grade in grades
]


def fit(
    ratings: list[tuple[int, int, int | None]],
    categories: tuple[object, ...] = (1, 2, 3, 4),
    *,
    max_iterations: int = 10_000,
) -> DawidSkene:
    items, raters, labels = zip(*ratings, strict=True)
    return dawid_skene(items, raters, labels, categories=categories, max_iterations=max_iterations)


@pytest.fixture(scope="module", name="published")
def fit_to_the_anaesthetists() -> DawidSkene:
    return fit([*RATINGS])


def test_the_log_likelihood_of_the_anaesthetists_is_the_published_one(
    published: DawidSkene,
) -> None:
    assert len(RATINGS) == 45 * 7
    assert published.converged
    assert published.log_likelihood == pytest.approx(-192.89, abs=0.005)


def test_the_log_likelihood_counts_each_rating_by_itself(published: DawidSkene) -> None:
    # The probability of exactly these ratings, multiplied out, without the multinomial constant:
    # observer 1 gave 13 patients two grades in three looks, so that would add 13 log 3.
    split = [row for row in ANAESTHETISTS if len(set(row.split("-")[0])) == 2]
    assert len(split) == 13
    total = 0.0
    for row in ANAESTHETISTS:
        likelihood = 0.0
        for true in range(4):
            joint = published.prevalence[true]
            for observer, grades in enumerate(row.split("-")):
                for grade in grades:
                    joint *= published.error_rates[observer, true, int(grade) - 1]
            likelihood += joint
        total += math.log(likelihood)
    assert total == pytest.approx(published.log_likelihood, abs=1e-8)


def test_prevalences_are_the_published_ones(published: DawidSkene) -> None:
    assert published.prevalence.round(2).tolist() == [0.4, 0.42, 0.11, 0.07]


def test_errors_and_posteriors_are_those_of_another_library(published: DawidSkene) -> None:
    # crowd-kit 1.4.2, DawidSkene(n_iter=500, tol=0), which stops a little earlier.
    assert published.error_rates[0] == pytest.approx(
        np.array([[0.8894, 0.1106, 0, 0], [0.0703, 0.8767, 0.0530, 0],
                  [0, 0.3355, 0.6645, 0], [0, 0, 0.5556, 0.4444]]), abs=0.005,
    )  # fmt: skip
    by_patient = dict(zip(published.items, published.posteriors, strict=True))
    assert by_patient[7] == pytest.approx(np.array([0.9820, 0.0180, 0, 0]), abs=0.005)
    assert by_patient[12] == pytest.approx(np.array([0, 0.0209, 0.9791, 0]), abs=0.025)
    assert dict(zip(published.items, published.labels(), strict=True))[36] == 4


def test_every_row_of_probabilities_sums_to_one(published: DawidSkene) -> None:
    assert published.posteriors.sum(axis=1) == pytest.approx(1)
    assert published.error_rates.sum(axis=2) == pytest.approx(np.ones((5, 4)))
    assert published.prevalence.sum() == pytest.approx(1)


def test_the_order_of_ratings_and_the_names_of_grades_change_nothing(
    published: DawidSkene,
) -> None:
    rng = np.random.default_rng(1)
    shuffled = [RATINGS[row] for row in rng.permutation(len(RATINGS))]
    again = fit([(item, rater, 5 - label) for item, rater, label in shuffled])
    assert again.log_likelihood == pytest.approx(published.log_likelihood)
    assert again.prevalence[::-1] == pytest.approx(published.prevalence)
    first = dict(zip(published.items, published.labels(), strict=True))
    for item, label in zip(again.items, again.labels(), strict=True):
        assert 5 - label == first[item]  # type: ignore[operator]  # labels are grades here


def test_missing_labels_and_categories_nobody_used_change_nothing(published: DawidSkene) -> None:
    more = fit([*RATINGS, (1, 2, None), (7, 3, None)], (1, 2, 3, 4, 5))
    assert more.log_likelihood == pytest.approx(published.log_likelihood)
    assert more.prevalence[:4] == pytest.approx(published.prevalence)
    assert more.prevalence[4] == 0
    assert np.isnan(more.error_rates[:, 4]).all()


# Two raters, three categories: rater 2 met nothing that anyone called a 1, nor rater 1 a 0 or 2.
SPARSE: list[tuple[int, int, int | None]] = [
    (1, 2, 0), (2, 1, None), (3, 2, 2), (4, 1, 1),
]  # fmt: skip


def sparse_panel(seed: int) -> list[tuple[int, int, int | None]]:
    rng = np.random.default_rng(seed)
    items, raters, categories = rng.integers(3, 9), rng.integers(2, 6), rng.integers(2, 4)
    return [
        (item, rater, int(rng.integers(categories)))
        for item in range(items)
        for rater in range(raters)
        if rng.random() < 0.5 or (item, rater) == (0, 0)
    ]


def test_no_step_ever_lowers_the_likelihood_however_thin_the_panel() -> None:
    # A rater who met no item of a category has no error rates there. Taking every answer of theirs
    # for certain would make more of a likelihood than there is, which the next step takes back.
    for ratings in [SPARSE, *(sparse_panel(seed) for seed in range(150))]:
        path = [
            fit(ratings, (0, 1, 2), max_iterations=steps).log_likelihood for steps in range(1, 7)
        ]
        assert np.diff(path).min() > -1e-9
        assert max(path) <= 1e-9


def test_planted_errors_are_found_and_good_raters_outweigh_a_bad_majority() -> None:
    rng = np.random.default_rng(3)
    accuracies, items = np.array([0.95, 0.9, 0.9, 0.55, 0.5]), 2000
    truth = (rng.random(items) < 0.3).astype(int)
    right = rng.random((items, 5)) < accuracies
    labels = np.where(right, truth[:, None], 1 - truth[:, None])
    rows, raters = np.divmod(np.arange(items * 5), 5)
    flat = labels.ravel().tolist()
    found = dawid_skene(rows.tolist(), raters.tolist(), flat, categories=[0, 1])
    diagonal = found.error_rates[:, [0, 1], [0, 1]]
    assert found.prevalence[1] == pytest.approx(0.3, abs=0.03)
    assert diagonal == pytest.approx(np.tile(accuracies[:, None], 2), abs=0.06)
    votes, _ = majority(rows.tolist(), raters.tolist(), flat, categories=[0, 1])
    by_vote = np.mean([votes[item] == truth[item] for item in range(items)])
    assert np.mean(np.array(found.labels()) == truth) > by_vote + 0.03


def test_planted_errors_are_found_where_half_of_the_labels_are_missing() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 1500)
    labels = np.where(rng.random((1500, 6)) < 0.8, truth[:, None], (truth[:, None] + 1) % 3)
    kept = np.argwhere(rng.random(labels.shape) < 0.5)
    found = dawid_skene(
        kept[:, 0].tolist(), kept[:, 1].tolist(), labels[tuple(kept.T)].tolist(),
        categories=[0, 1, 2],
    )  # fmt: skip
    assert found.error_rates[:, [0, 1, 2], [0, 1, 2]] == pytest.approx(
        np.full((6, 3), 0.8), abs=0.06
    )


def test_an_item_that_nobody_rated_has_no_label() -> None:
    found = dawid_skene("aabbc", "xyxyx", [1, 1, 0, 1, None], categories=[0, 1])
    assert found.rated.tolist() == [True, True, False]
    assert found.posteriors[2] == pytest.approx(found.prevalence)
    assert found.labels()[2] is None


def test_two_categories_that_are_equally_probable_give_no_label() -> None:
    found = dawid_skene("aa", "xy", [0, 1], categories=[0, 1])
    assert found.posteriors.tolist() == [[0.5, 0.5]]
    assert found.labels() == (None,)


def test_a_fit_that_was_stopped_says_so() -> None:
    stopped = fit([*RATINGS], max_iterations=2)
    assert (stopped.iterations, stopped.converged) == (2, False)


def test_the_majority_is_the_most_frequent_label_and_a_tie_is_none() -> None:
    items, raters, labels = zip(*RATINGS, strict=True)
    votes, soft = majority(items, raters, labels, categories=[1, 2, 3, 4])
    # Patient 2 has 3 3 3 4 3 3 4, patient 38 has 2 3 2 3 2 3 3, patient 4 has 2 2 2 3 1 2 1.
    assert (votes[2], votes[38], votes[4]) == (3, 3, 2)
    assert soft[4] == {1: 2 / 7, 2: 4 / 7, 3: 1 / 7, 4: 0}
    # By eye: patient 3, with 1 1 2 2 1 2 2, goes to 2, and patient 7 to 1.
    assert (votes[3], votes[7]) == (2, 1)
    tied, halves = majority("aa", "xy", [0, 2], categories=[0, 1, 2])
    assert (tied["a"], halves["a"]) == (None, {0: 0.5, 1: 0, 2: 0.5})


def test_a_majority_of_nobody_is_no_label() -> None:
    for categories in ([0], [0, 1]):
        votes, soft = majority("ab", "xx", [0, None], categories=categories)
        assert (votes["a"], votes["b"]) == (0, None)
        assert soft["b"] == {}


def test_labels_outside_the_schema_are_refused_with_their_rows() -> None:
    with pytest.raises(InputError, match=r"label 'x' is none of \[0, 1\]") as caught:
        majority("aab", "xyx", [0, "x", "x"], categories=[0, 1])
    assert caught.value.remedy == "rows 1, 2"


def test_ratings_that_cannot_be_fitted_are_refused() -> None:
    with pytest.raises(InputError, match="there is no rating to fit"):
        dawid_skene("ab", "xx", [None, None], categories=[0, 1])
    with pytest.raises(InputError, match="2 items, 1 raters and 2 labels"):
        dawid_skene("ab", "x", [0, 1], categories=[0, 1])
    with pytest.raises(InputError, match="a category is named twice"):
        majority("a", "x", [0], categories=[0, 1, 0])
