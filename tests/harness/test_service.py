"""The web service, as a real uvicorn on 127.0.0.1 serves it."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")

from mmrare_judge import ConfigError, Grade, Judge
from mmrare_judge.errors import ConfigError as JudgeFault
from mmrare_judge.harness.service import ServiceLimits, server
from support.command import command
from support.harnesses import grades_alone, model_grader, ten_pairs

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(judge: Judge | None = None, *, key: str | None = None, **limits: Any) -> Iterator[int]:
    """The service on a free port, which is given; stopped as a signal would stop it."""
    running = server(judge or model_grader().judge, port=0, key=key, limits=ServiceLimits(**limits))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()))
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


def call(
    port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, sent, {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, read


def asked(place: int = 0) -> dict[str, Any]:
    prediction, item = ten_pairs()[place]
    return {
        "item": item.model_dump(mode="json"),
        "prediction": prediction.text,
        "system": prediction.system,
    }


def faults(answer: Answer) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(answer[2])["errors"]
    return found


def slow_judge(seconds: float) -> Judge:
    async def answer(messages: Any, schema: Any) -> str:
        await asyncio.sleep(seconds)
        return "{}"

    return Judge(answer, model="slow", cache="off", reask=0)


def test_grades_are_those_without_the_service_and_a_failure_is_a_200_that_says_why() -> None:
    alone = grades_alone(model_grader(failing=True))
    with serving(model_grader(failing=True).judge) as port:
        answers = [call(port, "POST", "/grade", asked(n)) for n in range(10)]
    assert {status for status, _, _ in answers} == {200}
    grades = [Grade.model_validate_json(body) for _, _, body in answers]
    assert grades == list(alone)
    failed = json.loads(answers[2][2])
    assert failed["score"] is None
    assert failed["unscored"]["kind"] == "timeout"


def test_a_batch_is_one_line_each_with_its_position() -> None:
    alone = grades_alone(model_grader())
    with serving() as port:
        status, _, body = call(
            port, "POST", "/grade/batch", {"requests": [asked(n) for n in range(10)]}
        )
    lines = [json.loads(line) for line in body.splitlines()]
    assert status == 200
    assert sorted(line["position"] for line in lines) == list(range(10))
    assert all(line["error"] is None for line in lines)
    for line in lines:
        assert Grade.model_validate(line["grade"]) == alone[line["position"]]


def test_a_batch_is_streamed_as_each_is_done() -> None:
    slow = ten_pairs()[0][0].text

    async def answer(messages: Any, schema: Any) -> str:
        await asyncio.sleep(3 if slow in messages[1]["content"] else 0)
        return "{}"

    judge = Judge(answer, model="uneven", cache="off", reask=0)
    with serving(judge) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"requests": [asked(0), asked(1)]})
        began = time.monotonic()
        connection.request("POST", "/grade/batch", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        first = json.loads(response.readline())
        assert time.monotonic() - began < 2
        assert [first["position"], json.loads(response.readline())["position"]] == [1, 0]
        connection.close()


def test_rubrics_and_health() -> None:
    with serving() as port:
        rubrics = json.loads(call(port, "GET", "/rubrics")[2])
        health = json.loads(call(port, "GET", "/healthz")[2])
    assert {rubric["track"] for rubric in rubrics} >= {"treatment", "diagnosis"}
    assert (health["status"], health["judge"]) == ("ok", "m")


def test_two_hundred_requests_at_once_are_all_answered() -> None:
    with serving() as port, ThreadPoolExecutor(200) as pool:
        calls = [pool.submit(call, port, "POST", "/grade", asked(n % 10)) for n in range(200)]
        answers = [one.result() for one in calls]
    assert [status for status, _, _ in answers] == [200] * 200
    by_item = {Grade.model_validate_json(body).item_id for _, _, body in answers}
    assert by_item == {item.id for _, item in ten_pairs()}


def test_more_than_it_takes_on_is_turned_away_with_when_to_try_again() -> None:
    with serving(slow_judge(1), requests=2) as port, ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(call, port, "POST", "/grade", asked()) for _ in range(6)]
        done = [one.result() for one in answers]
    assert sorted(status for status, _, _ in done) == [200, 200, 503, 503, 503, 503]
    assert {headers.get("retry-after") for status, headers, _ in done if status == 503} == {"2"}


def test_what_takes_too_long_is_a_503_and_not_a_grade() -> None:
    with serving(slow_judge(5), seconds=0.2) as port:
        answer = call(port, "POST", "/grade", asked())
        line = json.loads(call(port, "POST", "/grade/batch", {"requests": [asked()]})[2])
    assert answer[0] == 503
    assert faults(answer)[0]["problem"] == "there is no grade within 0.2 seconds"
    assert (line["grade"], line["error"]["problem"]) == (None, faults(answer)[0]["problem"])


def test_a_body_of_50_mb_is_refused_before_it_is_read() -> None:
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST /grade HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n{")
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_of_unknown_length_is_read_to_its_limit_alone() -> None:
    chunk = b"186A0\r\n" + b"x" * 100_000 + b"\r\n"
    with serving(body=300_000) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(b"POST /grade HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(4 * chunk)  # and no end
        assert client.recv(100).startswith(b"HTTP/1.1 413")
        client.close()


def test_a_slow_client_is_given_up_and_others_are_served_meanwhile() -> None:
    with serving(read_seconds=0.5) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(b"POST /grade HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert call(port, "POST", "/grade", asked())[0] == 200
        assert client.recv(100).startswith(b"HTTP/1.1 408")
        client.close()


@pytest.mark.parametrize("path", ["/grade", "/grade/batch"])
def test_a_client_that_goes_away_takes_no_place(path: str) -> None:
    body = json.dumps(asked() if path == "/grade" else {"requests": [asked(0), asked(1)]})
    with serving(slow_judge(0.5), requests=1) as port:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("POST", path, body, {"Content-Type": "application/json"})
        client.close()
        time.sleep(1.5)
        assert json.loads(call(port, "GET", "/healthz")[2])["in_flight"] == 1
        assert call(port, "POST", "/grade", asked())[0] == 200


def without(field: str) -> dict[str, Any]:
    body = asked()
    del body["item"][field]
    return body


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (without("track"), "item.track", ""),
        (asked() | {"prediction": 5}, "prediction", "5"),
        (asked() | {"predicton": "x"}, "predicton", "'x'"),
    ],
    ids=["missing", "wrong type", "misspelt"],
)
def test_bad_input_names_field_value_and_remedy(
    body: dict[str, Any], field: str, value: str
) -> None:
    with serving() as port:
        answer = call(port, "POST", "/grade", body)
    assert answer[0] == 422
    assert (faults(answer)[0]["field"], faults(answer)[0]["value"]) == (field, value)
    assert "/openapi.json" in faults(answer)[0]["remedy"]


def test_an_item_that_does_not_serve_the_rubric_is_named_by_its_place() -> None:
    bad = asked()
    bad["item"]["track"] = "other"
    with serving() as port:
        answer = call(port, "POST", "/grade/batch", {"requests": [asked(), bad]})
    assert answer[0] == 422
    assert faults(answer)[0]["field"] == "requests.1"


@pytest.mark.parametrize("body", [b'{"item": ', b"", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_refused_in_the_same_form(body: bytes) -> None:
    with serving() as port:
        answer = call(port, "POST", "/grade", body)
    assert answer[0] in (400, 422)
    assert faults(answer)[0]["problem"]


def test_a_key_is_asked_for_where_there_is_one() -> None:
    with serving(key="sk-right") as port:
        wrong = [{}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-right"}]
        for headers in wrong:
            status, answered, _ = call(port, "POST", "/grade", asked(), headers)
            assert (status, answered["www-authenticate"]) == (401, "Bearer")
        right = {"Authorization": "Bearer sk-right"}
        assert call(port, "POST", "/grade", asked(), right)[0] == 200
        assert call(port, "GET", "/rubrics")[0] == 401
        assert call(port, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "gpu1.example.org"])
def test_without_a_key_other_machines_are_not_served(host: str) -> None:
    with pytest.raises(ConfigError, match="set MMRARE_SERVE_KEY"):
        server(model_grader().judge, host=host)


def test_a_judge_that_cannot_answer_is_a_500_that_says_why() -> None:
    def answer(messages: Any, schema: Any) -> str:
        raise JudgeFault("there is no key for this model")

    with serving(Judge(answer, model="m", cache="off")) as port:
        answered = call(port, "POST", "/grade", asked())
    assert answered[0] == 500
    assert "there is no key for this model" in faults(answered)[0]["problem"]


def test_the_log_has_no_clinical_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as port:
        call(port, "POST", "/grade?patient=Miller", asked())
        call(port, "POST", "/grade", asked() | {"prediction": {"patient": "Miller"}})
        call(port, "GET", "/Miller")
    told = [one.getMessage() for one in caplog.records if one.name == "mmrare_judge.service"]
    assert [line.rsplit(" ", 2)[0] for line in told] == [
        "POST /grade 200",
        "POST /grade 422",
        "GET (another path) 404",
    ]
    assert "Miller" not in caplog.text
    assert asked()["prediction"][:40] not in caplog.text


def test_what_is_being_graded_is_finished_before_the_service_stops() -> None:
    with ThreadPoolExecutor(1) as pool:
        with serving(slow_judge(1)) as port:
            waiting = pool.submit(call, port, "POST", "/grade", asked())
            time.sleep(0.4)
        assert waiting.result()[0] == 200


def test_the_command_refuses_other_machines_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MMRARE_SERVE_KEY", raising=False)
    done = command("serve", "--judge", "embedded", "--host", "0.0.0.0", cwd=tmp_path)
    assert done.code == 4
    assert "set MMRARE_SERVE_KEY" in done.err
