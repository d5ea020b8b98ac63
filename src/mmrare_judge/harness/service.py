"""The web service: grades over HTTP, for harnesses that are not Python.

`create_app` makes the application and `serve` runs it. One judge grades everything; a client sends
items and predictions, never a model, a rubric file or a key of the judge.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from pydantic import Field, JsonValue

from mmrare_judge._version import __version__
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import (
    ConfigError,
    InputError,
    MMRareJudgeError,
    RubricError,
    from_extra,
)
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.grading import Grading
from mmrare_judge.judging.judge import Judge
from mmrare_judge.records import Record, Text, shortened
from mmrare_judge.rubric.model import list_rubrics, load_rubric

with from_extra("serve"):
    import uvicorn
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import StreamingResponse
    from starlette.exceptions import HTTPException
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("mmrare_judge.service")

PATHS = ("/grade", "/grade/batch", "/rubrics", "/healthz", "/openapi.json", "/docs")
"""What the access log names; any other path may hold anything, and is not written there."""

RETRY_AFTER = 2
"""Seconds after which a client that was turned away may try again."""


# --- What is sent, and what comes back


class GradeRequest(Record):
    """One prediction to grade.

    Attributes:
        item: The item, with its reference.
        prediction: The text to grade; an empty one is graded as an empty answer.
        system: The model that answered.
    """

    item: Item
    prediction: Text
    system: Text = ""


class GradeBatch(Record):
    """Many predictions to grade.

    Attributes:
        requests: The predictions with their items.
    """

    requests: tuple[GradeRequest, ...] = Field(min_length=1)


class InputFault(Record):
    """One thing that is wrong.

    Attributes:
        problem: What is wrong.
        field: Where in the body, such as ``item.track``; empty where it is no single field.
        value: What was sent there, shortened.
        remedy: What to do about it.
    """

    problem: str
    field: str = ""
    value: str = ""
    remedy: str = ""


class Faults(Record):
    """Why there is no grade; the body of every answer that is not a 200.

    Attributes:
        errors: Each thing that is wrong.
    """

    errors: tuple[InputFault, ...]


class BatchLine(Record):
    """One line of the answer to a batch.

    Attributes:
        position: Which of the requests, from 0.
        grade: Its grade; one without a score says why.
        error: Why there is no grade at all, such as a key that the judge lacks.
    """

    position: int
    grade: Grade | None = None
    error: InputFault | None = None


class RubricEntry(Record):
    """A rubric that comes with the package, or the one this service grades by."""

    id: str
    track: str
    version: str
    title: str
    hash: str


class Health(Record):
    """That the service answers, and what it grades with."""

    status: str = "ok"
    version: str = __version__
    judge: str
    in_flight: int


# --- Limits


@dataclass(frozen=True)
class ServiceLimits:
    """What the service takes on.

    Attributes:
        body: Bytes of a request's body, at most.
        requests: Requests that are read, waiting or being graded, at most; further ones get 503.
        concurrency: Predictions that are graded at once, at most.
        seconds: How long one prediction may wait and be graded.
        read_seconds: How long a client may take to send its request.
    """

    body: int = 10_000_000
    requests: int = 256
    concurrency: int = 64
    seconds: float = 600.0
    read_seconds: float = 30.0


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str, remedy: str = "") -> None:
        self.status = status
        self.fault = InputFault(problem=problem, remedy=remedy)
        super().__init__(problem)


class Door:
    """What every request passes: the key, the limits, and a log without its content.

    Args:
        app: What answers the requests that are let in.
        limits: What is taken on.
        key: The key that a client has to show; ``None`` asks for none.
    """

    def __init__(self, app: ASGIApp, limits: ServiceLimits, key: str | None) -> None:
        self._app = app
        self._limits = limits
        self._authorization = None if key is None else f"Bearer {key}".encode()
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self.in_flight += 1
        try:
            await self._app(scope, await self._let_in(scope, receive), noted)
        except _RefusedError as refused:
            await _refusal(refused)(scope, receive, noted)
        except Exception as error:
            # Its message and traceback may quote the request, so only its type is logged.
            log.error("a request ended with %s", type(error).__name__)
            if not status:
                await _refusal(_RefusedError(500, "the service failed"))(scope, receive, noted)
        finally:
            self.in_flight -= 1
            path = scope["path"] if scope["path"] in PATHS else "(another path)"
            method = scope["method"] if scope["method"] in ("GET", "POST") else "(other)"
            log.info("%s %s %s %.3f s", method, path, status or "-", time.monotonic() - began)

    async def _let_in(self, scope: Scope, receive: Receive) -> Receive:
        headers = dict(scope["headers"])
        if scope["path"] == "/healthz":
            return _replaying(b"", receive)
        if self._authorization is not None and not hmac.compare_digest(
            headers.get(b"authorization", b""), self._authorization
        ):
            remedy = "Send the header Authorization: Bearer KEY"
            raise _RefusedError(401, "the key is missing or wrong", remedy)
        if self.in_flight > self._limits.requests:
            problem = f"{self._limits.requests} requests are in flight already"
            raise _RefusedError(503, problem, f"Try again after {RETRY_AFTER} seconds")
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._limits.body:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                body = await self._read(receive)
        except TimeoutError:
            problem = f"the request did not arrive within {self._limits.read_seconds:g} seconds"
            raise _RefusedError(408, problem) from None
        return _replaying(body, receive)

    async def _read(self, receive: Receive) -> bytes:
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400, "the client went away before its request was whole")
            body += message.get("body", b"")
            if len(body) > self._limits.body:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> _RefusedError:
        problem = f"the body is larger than {self._limits.body} bytes"
        return _RefusedError(413, problem, "Send fewer predictions at a time, and no images")


def _replaying(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _refusal(refused: _RefusedError) -> Response:
    headers = {"Connection": "close"}  # what is left of the body is not read
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    return _faults(refused.status, [refused.fault], headers)


def _faults(
    status: int, faults: Iterable[InputFault], headers: dict[str, str] | None = None
) -> Response:
    body = Faults(errors=tuple(faults)).model_dump_json()
    return Response(body, status, headers, media_type="application/json")


# --- The application


def create_app(
    judge: Judge, *, limits: ServiceLimits | None = None, key: str | None = None
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        judge: What grades.
        limits: What is taken on.
        key: The key that clients have to show; ``None`` asks for none.
    """
    limits = limits or ServiceLimits()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        judge.write_kept()

    app = FastAPI(title="mmrare-judge", version=__version__, lifespan=lifespan, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _as_faults)
    app.add_exception_handler(MMRareJudgeError, _no_grade)
    app.add_exception_handler(_RefusedError, _turned_away)
    _add_routes(app, _Grading(judge, limits), limits, key)
    return app


class _Grading:
    """Grades, so many at once and each within its time."""

    def __init__(self, judge: Judge, limits: ServiceLimits) -> None:
        self.judge = judge
        self.limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency)

    def prepare(self, asked: GradeRequest) -> Grading:
        prediction = Prediction(item_id=asked.item.id, text=asked.prediction, system=asked.system)
        return self.judge.prepare(prediction, asked.item)

    async def grade(self, grading: Grading) -> Grade:
        try:
            async with asyncio.timeout(self.limits.seconds), self._slots:
                return await self.judge.complete(grading)
        except TimeoutError:
            problem = f"there is no grade within {self.limits.seconds:g} seconds"
            raise _RefusedError(503, problem, "Ask again: replies that came are kept") from None

    async def line(self, position: int, grading: Grading) -> bytes:
        try:
            line = BatchLine(position=position, grade=await self.grade(grading))
        except _RefusedError as refused:
            line = BatchLine(position=position, error=refused.fault)
        except MMRareJudgeError as error:
            line = BatchLine(position=position, error=_fault_of(error))
        return line.model_dump_json(exclude_none=False).encode() + b"\n"

    async def lines(self, gradings: list[Grading]) -> AsyncIterator[bytes]:
        tasks = [asyncio.create_task(self.line(n, one)) for n, one in enumerate(gradings)]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:  # also where the client went away
            for task in tasks:
                task.cancel()


def _add_routes(app: FastAPI, grading: _Grading, limits: ServiceLimits, key: str | None) -> None:
    statuses = {400: "Not JSON text", 401: "No key", 408: "Too slow", 413: "Too large"}
    statuses |= {422: "Wrong input", 500: "The judge cannot answer", 503: "Too busy"}
    failures: dict[int | str, dict[str, Any]] = {
        status: {"model": Faults, "description": words} for status, words in statuses.items()
    }
    some: dict[int | str, dict[str, Any]]
    some = {status: failures[status] for status in (401, 503)}
    door: list[Door] = []

    def enter(inner: ASGIApp) -> Door:
        door.append(Door(inner, limits, key))
        return door[-1]

    app.add_middleware(enter)

    async def grade(asked: GradeRequest) -> Response:
        """Grade one prediction; a grade without a score says why, and is never 0."""
        done = await grading.grade(grading.prepare(asked))
        return Response(done.model_dump_json(), media_type="application/json")

    lines = {"description": "JSON lines, each as it is done", "model": BatchLine}
    content = {"application/jsonl": {"schema": {"$ref": "#/components/schemas/BatchLine"}}}

    async def batch(asked: GradeBatch) -> StreamingResponse:
        """Grade many predictions; one JSON line each, in the order in which they are done."""
        prepared = [
            _placed(grading, request, position) for position, request in enumerate(asked.requests)
        ]
        return StreamingResponse(grading.lines(prepared), media_type="application/jsonl")

    async def rubrics() -> list[RubricEntry]:
        """The rubrics of the package, and the one this service was started with."""
        own = grading.judge.rubric
        known = [own] if own else [load_rubric(name) for name in list_rubrics()]
        return [
            RubricEntry(
                id=one.id,
                track=one.track,
                version=one.version,
                title=one.title,
                hash=one.hash,
            )
            for one in known
        ]

    async def healthz() -> Health:
        """Whether the service answers; needs no key."""
        return Health(judge=grading.judge.spec.model, in_flight=door[0].in_flight)

    app.add_api_route("/grade", grade, methods=["POST"], response_model=Grade, responses=failures)
    app.add_api_route(
        "/grade/batch",
        batch,
        methods=["POST"],
        response_class=StreamingResponse,
        responses=failures | {200: {**lines, "content": content}},
    )
    app.add_api_route("/rubrics", rubrics, response_model=list[RubricEntry], responses=some)
    app.add_api_route("/healthz", healthz, response_model=Health)


def _placed(grading: _Grading, asked: GradeRequest, position: int) -> Grading:
    try:
        return grading.prepare(asked)
    except (InputError, RubricError) as error:
        field = f"requests.{position}"
        raise InputError(error.problem, remedy=error.remedy, field=field) from error


# --- What is wrong, in the form of `Faults`


def _fault_of(error: MMRareJudgeError) -> InputFault:
    if isinstance(error, InputError):
        return InputFault(problem=error.problem, remedy=error.remedy, field=error.field or "")
    if isinstance(error, RubricError):
        return InputFault(problem=error.problem, remedy=error.remedy, field="item")
    return InputFault(problem=str(error))


async def _no_grade(_: Request, error: Exception) -> Response:
    assert isinstance(error, MMRareJudgeError)
    status = 422 if isinstance(error, InputError | RubricError) else 500
    return _faults(status, [_fault_of(error)])


async def _turned_away(_: Request, error: Exception) -> Response:
    assert isinstance(error, _RefusedError)
    return _refusal(error)


async def _as_faults(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return _faults(error.status_code, [InputFault(problem=str(error.detail))], headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _faults(422, [_fault_in(one) for one in error.errors()])


def _fault_in(found: dict[str, Any]) -> InputFault:
    if found["type"] == "json_invalid":
        place = f"character {found['loc'][-1]}"
        reason = found.get("ctx", {}).get("error", "")
        return InputFault(
            problem=f"the body is not JSON: {reason}, at {place}", remedy="Send one JSON object"
        )
    value: JsonValue = found.get("input")
    known = "The fields are those of /openapi.json"
    missing = found["type"] == "missing"
    return InputFault(
        problem=found["msg"],
        field=".".join(str(part) for part in found["loc"][1:]),
        value="" if missing else shortened(value),
        remedy="Add it; " + known[0].lower() + known[1:] if missing else known,
    )


# --- Running it


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    judge: Judge,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    key: str | None = None,
    limits: ServiceLimits | None = None,
) -> None:
    """Run the service until it is told to stop; what is being graded then is finished.

    Raises:
        ConfigError: There is no key, and other machines can reach the address.
    """
    server(judge, host=host, port=port, key=key, limits=limits).run()


def server(
    judge: Judge,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    key: str | None = None,
    limits: ServiceLimits | None = None,
) -> uvicorn.Server:
    """The server of `serve`, not yet running.

    Raises:
        ConfigError: There is no key, and other machines can reach the address.
    """
    if not key and not is_loopback(host):
        raise ConfigError(
            f"other machines can reach {host}, and there is no key; set MMRARE_SERVE_KEY, or bind "
            "to 127.0.0.1"
        )
    limits = limits or ServiceLimits()
    return uvicorn.Server(
        uvicorn.Config(
            create_app(judge, limits=limits, key=key or None),
            host=host,
            port=port,
            access_log=False,  # it would write query strings; `Door` has a log of its own
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=int(limits.seconds) + 1,
        )
    )
