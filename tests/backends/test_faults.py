from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mmrare_judge.backends.faults import (
    KINDS,
    FaultKind,
    as_fault,
    kind_of,
    presentable,
    redact,
    retry_after,
)
from mmrare_judge.backends.litellm import litellm
from mmrare_judge.errors import (
    BackendError,
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    TransportError,
    TruncatedError,
)

NOW = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)


def vendor(
    name: str, text: str = "boom", base: type[Exception] = Exception, **attributes: object
) -> Exception:
    """An exception of a vendor's class, known by the name of the class as the real ones are."""
    error: Exception = type(name, (base,), attributes)(text)
    return error


def test_every_exception_class_of_litellm_has_a_meaning() -> None:
    module = litellm().exceptions
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    ours = {
        c.__name__ for c in classes if issubclass(c, Exception) and c.__module__ == module.__name__
    }
    assert len(ours) > 25  # as of 1.106 there are 32; an empty set would prove nothing
    assert ours - KINDS.keys() == set()


NOT_OF_CHATS = {
    # webhooks, websockets, and a module that is configured twice
    "InvalidWebhookSignatureError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
    "_AmbiguousModuleClientUsageError",
}


def test_every_exception_class_of_openai_has_a_meaning() -> None:
    import openai

    # A list, since looking at what is imported lazily changes the module.
    theirs = {c.__name__ for c in list(vars(openai).values()) if _is_exception(c)}
    assert len(theirs) > 12  # as of 2.54 there are 20
    assert theirs - KINDS.keys() - NOT_OF_CHATS == set()


def test_every_exception_class_of_aiohttp_has_a_meaning() -> None:
    """Roots stand for their families; these are the families that mean something else."""
    from aiohttp import client_exceptions, http_exceptions

    families: list[tuple[type[Exception], FaultKind]] = [
        (client_exceptions.ServerTimeoutError, "timeout"),
        (client_exceptions.InvalidURL, "model"),
        (client_exceptions.NonHttpUrlClientError, "model"),
        (Exception, "connection"),
    ]
    classes = [*vars(client_exceptions).values(), *vars(http_exceptions).values()]
    theirs = [c for c in classes if _is_exception(c) and c.__name__ != "WSMessageTypeError"]
    assert len(theirs) > 30  # as of 3.14 there are 43
    for cls in theirs:
        known = [base.__name__ for base in cls.__mro__ if base.__name__ in KINDS]
        assert known, f"{cls.__name__} has no meaning"
        expected = next(meaning for base, meaning in families if issubclass(cls, base))
        assert KINDS[known[0]] == expected, cls.__name__


def test_every_exception_class_of_instructor_is_of_the_family_that_is_caught() -> None:
    from instructor.core import InstructorError, exceptions  # noqa: TID251

    classes = [c for c in vars(exceptions).values() if _is_exception(c)]
    assert len(classes) > 8  # as of 1.17 there are 14
    assert [c.__name__ for c in classes if not issubclass(c, InstructorError)] == []


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_meaning_leads_to_an_exception_of_ours(name: str) -> None:
    fault = as_fault(vendor(name), model="openai/m")
    assert isinstance(fault, (BackendError, ConfigError))
    assert "boom" in str(fault)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("RateLimitError", "rate_limit"),
        ("BadGatewayError", "server_error"),
        ("Timeout", "timeout"),
        ("TimeoutError", "timeout"),
        ("APIConnectionError", "connection"),
    ],
)
def test_transport_faults_name_their_kind(name: str, kind: str) -> None:
    fault = as_fault(vendor(name), model="m")
    assert isinstance(fault, TransportError)
    assert fault.kind == kind


def test_a_subclass_means_what_its_base_means() -> None:
    assert kind_of(ConnectionResetError()) == "connection"
    assert (
        kind_of(vendor("NewKindOfLimit", base=type("RateLimitError", (Exception,), {})))
        == "rate_limit"
    )


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, "request"),
        (401, "key"),
        (402, "quota"),
        (403, "permission"),
        (404, "model"),
        (408, "timeout"),
        (413, "context_window"),
        (418, "request"),
        (429, "rate_limit"),
        (504, "timeout"),
        (529, "server_error"),
        (200, "server_error"),
        (None, "server_error"),
    ],
    ids=str,
)
def test_an_unspecific_error_is_known_by_its_status(status: int | None, meaning: FaultKind) -> None:
    assert kind_of(vendor("APIError", status_code=status)) == meaning


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("ContextWindowExceededError", TruncatedError),
        ("ContentPolicyViolationError", ContentFilterError),
        ("GuardrailRaisedException", ContentFilterError),
        ("JSONSchemaValidationError", FormatError),
        ("AuthenticationError", ConfigError),
        ("SomethingNobodyHasSeen", TransportError),
    ],
)
def test_what_cannot_be_mended_by_waiting_is_no_transport_fault(
    name: str, cls: type[MMRareJudgeError]
) -> None:
    assert type(as_fault(vendor(name), model="m")) is cls


def test_a_used_up_quota_is_for_the_caller_although_it_comes_as_a_rate_limit() -> None:
    error = vendor("RateLimitError", "{'code': 'insufficient_quota'}")
    assert isinstance(as_fault(error, model="openai/m"), ConfigError)
    by_code = vendor("RateLimitError", "quota exceeded", body={"code": "insufficient_quota"})
    assert isinstance(as_fault(by_code, model="openai/m"), ConfigError)


def test_our_own_exceptions_pass_unchanged() -> None:
    error = TruncatedError("cut")
    assert as_fault(error, model="m") is error


def test_a_message_loses_class_names_and_tracebacks_and_is_kept_short() -> None:
    text = "litellm.BadRequestError: BadRequestError: no such\n field\nTraceback (most recent call"
    assert str(as_fault(vendor("BadRequestError", text), model="m")).endswith(
        "It said: no such field"
    )
    assert len(str(as_fault(vendor("Timeout", "x" * 10_000), model="m"))) < 500


@pytest.mark.parametrize(
    "text",
    [
        "key sk-abcdef0123456789 refused",
        "Authorization: Bearer eyJhbGciOi",
        "the key swordfish-42 is wrong",
    ],
    ids=["shape", "bearer", "given"],
)
def test_keys_are_blanked_out(text: str) -> None:
    fault = as_fault(vendor("AuthenticationError", text), model="m", secrets=["swordfish-42"])
    assert "***" in str(fault)
    for secret in ("sk-abcdef", "eyJhb", "swordfish"):
        assert secret not in str(fault)


@pytest.mark.parametrize(
    "form",
    ["pl4nted+Key/secret", "cGw0bnRlZCtLZXkvc2VjcmV0", "pl4nted%2BKey%2Fsecret"],
    ids=["plain", "base64", "in-an-address"],
)
def test_a_key_is_blanked_out_in_every_form_it_is_sent_in(form: str) -> None:
    assert redact(f"no {form}!", ["pl4nted+Key/secret"]) == "no ***!"


def test_keys_in_the_environment_are_blanked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PROVIDER_API_KEY", "open-sesame-9")
    assert redact("you sent open-sesame-9") == "you sent ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "100000"),
        ("MAX_TOKEN", "100000"),
        ("TOKENIZERS_PARALLELISM", "prednisone-40-mg"),
        ("KEYBOARD", "prednisone-40-mg"),
        ("SORT_KEY", "treatment"),
        ("API_KEY", "EMPTY"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json"),
    ],
)
def test_a_setting_with_key_or_token_in_its_name_is_not_a_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert redact(f"limit {value} passed") == f"limit {value} passed"


@pytest.mark.parametrize("name", ["HF_TOKEN", "api_key", "APIKEY", "DB_PASSWORD", "MY_SECRET"])
def test_a_variable_whose_name_ends_like_a_secrets_is_blanked_out(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "abcdefgh12345678")
    assert redact("you sent abcdefgh12345678") == "you sent ***"


def test_an_exception_with_a_key_in_it_or_behind_it_is_not_chained() -> None:
    inner = ValueError("header swordfish-42")
    outer = RuntimeError("failed")
    outer.__cause__ = inner
    assert presentable(outer, ["swordfish-42"]) is None
    assert presentable(outer, ["something-else"]) is outer


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 -0000"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
    ids=[
        "seconds",
        "fraction",
        "milliseconds",
        "date",
        "naive",
        "past",
        "words",
        "minus",
        "inf",
        "none",
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds


def test_an_error_code_is_found_in_the_exception_behind() -> None:
    """Some versions of litellm leave the endpoint's error object in the exception they wrap."""
    inner = vendor("OpenAIError", body={"code": "insufficient_quota"})
    outer = vendor("RateLimitError", "quota")
    outer.__context__ = inner
    assert kind_of(outer) == "quota"
