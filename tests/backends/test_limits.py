from __future__ import annotations

from typing import Any

import pytest

from mmrare_judge import BudgetError, ConfigError, Judge, Limits, grade_many
from mmrare_judge.backends.limits import Budget
from support.makers import make_item
from support.server import ScriptedServer, rate_limited

PAIRS = [(f"Rest for {n} days.", make_item(id=str(n))) for n in range(6)]


def test_limiters_of_one_budget_share_it() -> None:
    limits = Limits(concurrency=3, max_calls=5)
    budget = limits.budget()
    assert budget == Budget(max_calls=5)
    assert {id(limits.limiter(budget).budget) for _ in range(2)} == {id(budget)}
    assert limits.limiter().ceiling == 3


def test_many_grades_stay_within_their_budget(server: ScriptedServer) -> None:
    with pytest.raises(BudgetError, match="used up"):
        grade_many(PAIRS, limits=Limits(max_calls=4), **_at(server))
    assert len(server.requests) == 4


def test_a_judge_keeps_its_limits_over_all_it_does(server: ScriptedServer) -> None:
    judge = Judge(limits=Limits(max_calls=1), **_at(server))
    judge.grade(*PAIRS[0])
    with pytest.raises(BudgetError, match="used up"):
        judge.grade(*PAIRS[1])


def test_many_grades_slow_down_after_a_rate_limit_and_lose_none(server: ScriptedServer) -> None:
    server.script(rate_limited(retry_after=0.05))
    grades = grade_many(PAIRS, concurrency=4, **_at(server))
    assert [grade.item_id for grade in grades] == [item.id for _, item in PAIRS]
    assert {grade.unscored for grade in grades} == {None}
    assert sum(grade.usage.calls for grade in grades) == len(server.requests)


def _at(server: ScriptedServer) -> dict[str, Any]:
    return {
        "judge": "openai/judge",
        "api_base": server.url,
        "api_key": "none",
        "backend": "direct",
        "cache": "off",
        "verify_reask": 0,
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("concurrency", 0),
        ("concurrency", -3),
        ("requests_per_minute", 0),
        ("requests_per_minute", -1),
        ("tokens_per_minute", 0),
        ("max_cost", -0.5),
        ("max_cost", float("nan")),
        ("max_calls", -1),
    ],
)
def test_a_limit_that_lets_nothing_through_is_refused_with_its_name_and_value(
    setting: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=f"{setting} is {value}.*set it to"):
        Limits(**{setting: value})  # type: ignore[arg-type]
