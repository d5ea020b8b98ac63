"""Every attempt passes the limiter, with what it may take, and leaves it with what it took."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from mmrare_judge import Judge
from mmrare_judge.backends.base import JudgeSpec, Meter, Usage, structure
from mmrare_judge.backends.limits import AdaptiveLimiter, Budget, UpperBound, most_tokens
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.errors import (
    BudgetError,
    ConfigError,
    RefusalError,
    TransportError,
)
from support.asking import (
    BACKENDS,
    DIRECT,
    KEY,
    LITELLM,
    TEXT,
    WRONG_ENUM,
    Ask,
    Way,
    every_way,
    good,
    graded,
    request_for,
    spec_for,
)
from support.makers import make_item
from support.server import ScriptedServer, Step, chat, error, hang, rate_limited, refused, reset


@dataclass
class Watch:
    """A limiter that notes what passes, and that may let only so many through."""

    places: int = 1000
    bounds: list[UpperBound] = field(default_factory=list)
    left: list[tuple[UpperBound, Usage, BaseException | None]] = field(default_factory=list)

    async def enter(self, bound: UpperBound, meter: Meter) -> None:
        if len(self.bounds) >= self.places:
            raise BudgetError("no more")
        self.bounds.append(bound)

    def leave(self, bound: UpperBound, spent: Usage, error: BaseException | None) -> None:
        self.left.append((bound, spent, error))

    @property
    def spent(self) -> Usage:
        """Everything that was told on leaving."""
        return sum((spent for _, spent, _ in self.left), Usage())


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "first": (good,),
    "retries": (error(503), reset(), good),
    "re-asks": (chat("{}"), chat(WRONG_ENUM), good),
    "both": (rate_limited(), chat("{}"), error(500), chat("[]"), rate_limited(1), good),
    "habit": (error(400, "'temperature' is not supported"), good),
}


@every_way
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_attempt_passes_the_limiter(ask: Ask, way: Way, script: tuple[Step, ...]) -> None:
    limiter = Watch()
    asked = ask(*script, **way, limiter=limiter)
    assert graded(asked)
    assert len(limiter.bounds) == len(limiter.left) == len(script)
    assert [bound for bound, _, _ in limiter.left] == limiter.bounds
    told, counted = limiter.spent, asked.meter.usage
    assert (told.calls, told.retries, told.reasks) == (
        counted.calls,
        counted.retries,
        counted.reasks,
    )
    assert told.prompt_tokens == counted.prompt_tokens


@every_way
@pytest.mark.parametrize(
    ("step", "cls"),
    [
        (rate_limited(retry_after=9), TransportError),
        (reset(), TransportError),
        (refused("no"), RefusalError),
        (error(401), ConfigError),
    ],
    ids=["429", "reset", "refusal", "401"],
)
def test_the_limiter_is_told_how_an_attempt_failed(
    ask: Ask, way: Way, step: Step, cls: type[Exception]
) -> None:
    limiter = Watch()
    ask(step, **way, limiter=limiter, retries=0)
    ((_, spent, fault),) = limiter.left
    assert type(fault) is cls
    assert spent.calls == 1
    if isinstance(fault, TransportError) and fault.kind == "rate_limit":
        assert fault.retry_after == 9


@every_way
@pytest.mark.parametrize(
    "first", [error(503), chat("{}")], ids=["before-a-retry", "before-a-re-ask"]
)
def test_a_used_up_budget_ends_the_request_and_nothing_more_is_sent(
    ask: Ask, way: Way, first: Step
) -> None:
    limiter = Watch(places=1)
    asked = ask(first, **way, limiter=limiter)
    assert isinstance(asked.fault, BudgetError)
    assert len(asked.seen) == len(limiter.left) == 1


def test_what_is_turned_down_before_it_is_sent_is_told_as_nothing_spent(ask: Ask) -> None:
    """This model takes no temperature, as litellm knows; it is sent by habit, and then without."""
    limiter = Watch()
    assert graded(ask(good, model="openai/gpt-5-mini", limiter=limiter))
    assert [spent.calls for _, spent, _ in limiter.left] == [0, 1]
    assert isinstance(limiter.left[0][2], ConfigError)


@every_way
def test_a_cancelled_attempt_leaves_the_limiter(server: ScriptedServer, way: Way) -> None:
    server.otherwise = hang(30)
    spec, limiter = spec_for(server, **way), Watch()

    async def cancel() -> None:
        backend = BACKENDS[spec.backend](spec, limiter=limiter)
        task = asyncio.create_task(backend.complete(request_for(spec), Meter()))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    ((_, spent, fault),) = limiter.left
    assert isinstance(fault, asyncio.CancelledError)
    assert spent.calls == 1


# What an attempt may take


def test_the_need_is_that_of_messages_schema_and_longest_reply(ask: Ask) -> None:
    """42 and 21 characters in the messages: 14 and 7 tokens, and 8 around each; 900 to reply."""
    limiter = Watch()
    asked = ask(good, **LITELLM, limiter=limiter, mode="json_schema", max_tokens=900)
    assert graded(asked)
    request = request_for(JudgeSpec(model="any"))
    schema = structure(request.reply_model, request.schema, "json_schema", limits=True)
    assert limiter.bounds == [
        UpperBound(tokens=14 + 7 + 2 * 8 + most_tokens(schema) + 900, cost=None)
    ]


def test_a_priced_model_needs_what_the_price_list_says(ask: Ask) -> None:
    """Listed at 0.25 and 2 dollars a million: 38 * 0.25e-6 + 900 * 2e-6, the 38th for ``{}``."""
    limiter = Watch()
    ask(good, model="openai/gpt-5-mini", limiter=limiter, mode="json", max_tokens=900)
    bound = limiter.bounds[-1]
    assert bound.tokens == 938
    assert bound.cost == pytest.approx(0.0018095)


@pytest.mark.parametrize("way", [LITELLM, DIRECT], ids=["litellm", "direct"])
def test_a_re_ask_needs_more_than_the_first_attempt(ask: Ask, way: Way) -> None:
    limiter = Watch()
    ask(chat(WRONG_ENUM), good, **way, limiter=limiter)
    first, second = limiter.bounds
    assert second.tokens > first.tokens + len(TEXT) // 3


# With the real limiter


@pytest.mark.parametrize("way", [LITELLM, DIRECT], ids=["litellm", "direct"])
def test_a_run_ends_when_the_calls_it_may_make_are_made(server: ScriptedServer, way: Way) -> None:
    server.otherwise = chat("{}")
    budget = Budget(max_calls=2)
    judge = Judge(
        way["model"],
        backend=way["backend"],
        api_base=server.url,
        api_key=KEY,
        cache="off",
        limiter=AdaptiveLimiter(budget=budget),
        backoff=Backoff(base=0),
    )
    with pytest.raises(BudgetError):
        judge.grade("Give prednisone.", make_item())
    assert len(server.requests) == budget.spent.calls == 2
    assert budget.spent.reasks == 1
