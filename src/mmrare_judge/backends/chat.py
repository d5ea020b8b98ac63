"""`ChatBackend`: a request, its first attempt and its re-asks, over whichever wire."""

from __future__ import annotations

from pydantic import ValidationError

from mmrare_judge.backends.answer import read, text_of
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.backends.exchange import Exchange, Habits, fault_of, secrets
from mmrare_judge.backends.payload import WireMode
from mmrare_judge.backends.reask import reask
from mmrare_judge.backends.secrecy import presentable
from mmrare_judge.backends.wire import Wire
from mmrare_judge.errors import FormatError
from mmrare_judge.gate import Gate, OpenGate
from mmrare_judge.retry import Backoff
from mmrare_judge.spec import JudgeSpec


class ChatBackend:
    """A judge's model that chats.

    Some things are sent without having been asked for: a temperature of 0, and length limits in
    the schema for endpoints of one's own. Where an endpoint refuses one of them, the request is
    sent without it, and so are all later ones.

    Args:
        spec: The judge's model and settings.
        wire: The way to it.
        gate: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        wire: Wire,
        *,
        gate: Gate | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._spec = spec
        self._wire = wire
        self._gate = OpenGate() if gate is None else gate
        self._backoff = Backoff() if backoff is None else backoff
        self._habits = Habits()
        self._auto: dict[tuple[str, str | None], WireMode] = {}

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return a reply whose text satisfies ``request.reply_model``; see `Backend.complete`.

        Every completed reply but the one returned counts as extra in ``meter``; when this raises,
        every one.

        Raises:
            BudgetError: The gate's budget is used up.
        """
        exchange = Exchange(
            spec=self._spec,
            wire=self._wire,
            gate=self._gate,
            request=request,
            mode=self._mode(request),
            meter=meter,
            habits=self._habits,
            backoff=self._backoff,
        )
        try:
            return await self._converse(exchange)
        except BaseException:
            exchange.write_off()
            raise

    async def _converse(self, exchange: Exchange) -> Reply:
        request, times = exchange.request, self._spec.reask
        first = await exchange.send(list(request.messages))
        problem: Exception | None
        try:
            return exchange.reply(read(text_of(first), request.reply_model))
        except ValidationError as error:
            problem = error
        if times:
            problem = await reask(exchange.send, first, request, exchange.mode, times=times)
        if problem is None:
            return exchange.reply(read(exchange.text, request.reply_model))
        raise FormatError(_sentence(problem, 1 + times), raw=exchange.text) from problem

    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""
        await self._wire.aclose()

    def _mode(self, request: Request) -> WireMode:
        where = (request.model, request.endpoint)
        if where not in self._auto:
            self._auto[where] = self._resolve(request)
        return self._auto[where] if request.mode == "auto" else request.mode

    def _resolve(self, request: Request) -> WireMode:
        try:
            return self._wire.auto_mode(request)
        except Exception as error:
            fault = fault_of(error, self._spec, request.model, self._wire)
            raise fault from presentable(error, secrets(self._spec))


def _sentence(problem: Exception, attempts: int) -> str:
    """What was wrong with the last reply, without quoting it."""
    if isinstance(problem, ValidationError):
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"{place}: {first['msg']}" if place else first["msg"]
    else:
        what = str(problem)
    return f"no reply with the asked-for structure in {attempts} attempts; the last one: {what}"
