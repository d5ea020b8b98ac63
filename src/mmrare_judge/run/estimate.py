"""What a run would ask for and cost, told before anything is sent: `JudgeEstimate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mmrare_judge.backends.base import EMBEDDED, Price, Usage
from mmrare_judge.backends.fake import DryRunBackend, DryRunRequest
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.grading import Grading
from mmrare_judge.judging.judge import CacheChoice, Judge, peek_cache
from mmrare_judge.records import Record
from mmrare_judge.run.summary import dollars

ENOUGH = 20
"""Gradings of a judge that have to be known before an estimate goes by them."""

REPLY_TOKENS = 100
"""Tokens of one verdict, where nothing is known: three sentences, a quote, and JSON around them.
Models that think before they answer take many times as much."""

_LIKELY = 0.75  # of the upper bound of a prompt: a third of the characters there, a quarter here


class JudgeEstimate(Record):
    """What one judge would still be asked.

    Attributes:
        judge: The judge's model.
        done: Gradings that stand in the folder.
        free: Gradings that need no call: blank or too long, or the embedded judge's.
        cached: Gradings the cache answers, alone or together with what is asked before them.
        to_ask: Gradings for which something has to be sent.
        calls: Requests that have to be sent for them, each once.
        seen: Gradings of this judge that ``likely`` goes by; 0 where it is a guess by length.
        likely: What they will take. If it goes by gradings that were seen, with their re-asks,
            second looks and repeats; if it is a guess, without. ``cost`` is ``None`` where the
            price of the model is not known.
        most_tokens: Upper bound of ``calls``, as the budget reckons: the whole token limit of
            every reply.
        most_cost: The same in US dollars; ``None`` where the price is not known.
    """

    judge: str
    done: int
    free: int
    cached: int
    to_ask: int
    calls: int
    seen: int
    likely: Usage
    most_tokens: int
    most_cost: float | None

    def lines(self) -> Iterator[str]:
        """The estimate for people to read."""
        yield self.judge
        yield f"  gradings  {self._gradings()}"
        if self.calls:
            yield f"  calls     {self.calls:,}{self._with_extras()}"
            yield f"  tokens    about {self._tokens()}; first attempts at most {self.most_tokens:,}"
            yield f"  cost      {self._cost()}"
        else:
            yield "  calls     none; it costs nothing"

    def _gradings(self) -> str:
        parts = {
            "done": self.done,
            "answered by the cache": self.cached,
            "without a call": self.free,
            "to be asked for": self.to_ask,
        }
        counts = [f"{count:,} {what}" for what, count in parts.items() if count]
        return ", ".join(counts) or "none"

    def _with_extras(self) -> str:
        if not self.seen:
            return ", without second looks, re-asks and repeats"
        return f"; about {self.likely.calls:,} with second looks, re-asks and repeats"

    def _tokens(self) -> str:
        likely = self.likely
        tokens = likely.prompt_tokens + likely.completion_tokens
        basis = f"as in {self.seen:,} gradings by it" if self.seen else "guessed by length"
        return f"{tokens:,} ({likely.completion_tokens:,} of them replies), {basis}"

    def _cost(self) -> str:
        if self.likely.cost is None or self.most_cost is None:
            return "not known: the price of this model is not known"
        most = dollars(self.most_cost)
        return f"about {dollars(self.likely.cost)}; first attempts at most {most}"


def total_line(estimates: Sequence[JudgeEstimate]) -> str:
    """Calls and cost of all judges in one line."""
    calls = sum(estimate.calls for estimate in estimates)
    likely = sum((estimate.likely for estimate in estimates), Usage())
    known = [estimate.most_cost for estimate in estimates if estimate.most_cost is not None]
    if likely.cost is None or len(known) < len(estimates):
        return f"{calls:,} calls; cost not known"
    most = dollars(sum(known))
    return f"{calls:,} calls; about {dollars(likely.cost)}, first attempts at most {most}"


class Estimator:
    """Goes through the gradings of one judge as a run does, without anybody to ask.

    What the cache answers is settled as usual, so a second look that it lacks is found as well.

    Args:
        judge: The judge.
        cache: The run's cache; it is only looked into.

    Raises:
        OutputError: The cache cannot be opened.
    """

    def __init__(self, judge: Judge, cache: CacheChoice) -> None:
        peek = peek_cache(cache)
        self.model = judge.spec.model
        self._keeps = peek is not None
        self._backend = DryRunBackend(judge.spec, self._note)
        self._blind = Judge(
            judge.spec,
            rubric=judge.rubric,
            terms=judge.terms,
            cache="off" if peek is None else peek,
            backend=self._backend,
        )
        self._kinds = Counter[str]()
        self._hashes: set[str] = set()
        self._guess = Usage()
        self._most_tokens, self._most_cost = 0, 0.0
        self._priced = True
        self._seen, self._taken = 0, Usage()

    def learn(self, grade: Grade) -> None:
        """Go by what a grading took: by this judge, and bought at some time."""
        bought = grade.usage + grade.saved
        if grade.signature.judge == self.model and bought.calls:
            self._seen += 1
            self._taken = self._taken + bought

    async def add(self, grading: Grading, *, done: bool = False) -> None:
        """Count one more grading.

        Raises:
            ConfigError: The judge can never answer: its provider is unknown.
        """
        self._kinds["done" if done else await self._kind(grading)] += 1

    async def _kind(self, grading: Grading) -> str:
        if self.model == EMBEDDED:
            return "free"
        before = self._guess.calls
        grade = await self._blind.complete(grading)
        if self._guess.calls > before:
            return "to_ask"
        if grade.cached:
            self.learn(grade)
        # Nothing is asked for twice that the cache will hold by then.
        return "cached" if grade.requests else "free"

    def _note(self, request: DryRunRequest) -> None:
        if self._keeps and request.hash in self._hashes:
            return
        self._hashes.add(request.hash)
        self._guess = self._guess + Usage(
            calls=1,
            prompt_tokens=round(_LIKELY * request.prompt_tokens),
            completion_tokens=REPLY_TOKENS * request.questions,
        )
        self._most_tokens += request.most.tokens
        self._most_cost += request.most.cost or 0.0
        self._priced = self._priced and request.most.cost is not None

    def result(self) -> JudgeEstimate:
        """The estimate for all gradings so far."""
        goes_by = self._seen if self._seen >= ENOUGH else 0
        return JudgeEstimate(
            judge=self.model,
            **{kind: self._kinds[kind] for kind in ("done", "free", "cached", "to_ask")},
            calls=self._guess.calls,
            seen=goes_by,
            likely=self._priced_at_usual(self._as_seen() if goes_by else self._guess),
            most_tokens=self._most_tokens,
            most_cost=self._most_cost if self._priced else None,
        )

    def _as_seen(self) -> Usage:
        taken, share = self._taken, self._kinds["to_ask"] / self._seen
        return Usage(
            calls=round(taken.calls * share),
            prompt_tokens=round(taken.prompt_tokens * share),
            completion_tokens=round(taken.completion_tokens * share),
        )

    def _priced_at_usual(self, usage: Usage) -> Usage:
        price = self._backend.usual_price(self.model) if usage.calls else Price(0.0, 0.0)
        if price is None:
            return usage.model_copy(update={"cost": None})
        cost = usage.prompt_tokens * price.prompt + usage.completion_tokens * price.reply
        return usage.model_copy(update={"cost": cost})
