"""What came back: a completion, its text, the JSON object in that, its log probabilities.

`completion` reads bytes, `text_of` the text of a completion, `read_completion` the one JSON object
in that text, `token_records` the log probabilities. Each raises what it finds instead.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, from_json

from mmrare_judge.backends.base import TokenRecord, TokenText
from mmrare_judge.errors import ContentFilterError, RefusalError, TransportError, TruncatedError

# --- A chat completion from an endpoint's bytes, shaped like the openai SDK's own


class EndpointError(Exception):
    """An error that an endpoint reported.

    Attributes:
        status_code: The HTTP status, or the code in an error that came with status 200.
        headers: The headers it came with.
        body: All that came, where it was a JSON object.
    """

    def __init__(self, status: int, headers: Mapping[str, str], content: Any) -> None:
        self.status_code = status
        self.headers = dict(headers)
        first = content[0] if isinstance(content, list) and content else content  # Google's
        self.body = first if isinstance(first, Mapping) else {}
        super().__init__(_said(content)[:_LONGEST_ERROR] or f"status {status}")


# Characters of an error that are read: some endpoints send the whole prompt back.
_LONGEST_ERROR = 4000


class _Part(BaseModel):
    # instructor edits messages, so they are not frozen.
    model_config = ConfigDict(extra="forbid", frozen=False)


class Function(_Part):
    """The function that is called, with its arguments as JSON text."""

    name: str = ""
    arguments: str = ""


class ToolCall(_Part):
    """One call of a function."""

    id: str = "call"
    type: str = "function"
    function: Function


class ReplyMessage(_Part):
    """What a model said."""

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(_Part):
    """One reply, and why it ended."""

    message: ReplyMessage
    finish_reason: str | None = None
    logprobs: Any = None
    error: Any = None


class Counts(_Part):
    """How many tokens were read and written."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(_Part):
    """All that an endpoint sent back, or the error that came in its place."""

    choices: list[Choice] = []
    model: str | None = None
    usage: Counts = Counts()
    error: Any = None
    cost: float | None = None


def completion(status: int, headers: Mapping[str, str], body: bytes) -> Completion:
    """The completion in an HTTP response, in any of the shapes that endpoints give it.

    Raises:
        EndpointError: The response is an error by its status.
        TransportError: It is not a completion: not JSON, cut off, another object.

    >>> answer = b'{"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}'
    >>> completion(200, {}, answer).choices[0].message.content
    '{}'
    """
    if 300 <= status < 400:
        target = headers.get("Location", "elsewhere").partition("?")[0]
        raise EndpointError(status, headers, f"go to {target} instead, which is not followed")
    if not 200 <= status < 300:
        raise EndpointError(status, headers, _error_in(body))
    try:
        content = _assembled(body) if _EVENT.match(body) else _json(body)
    except ValueError as error:
        raise _no_completion(str(error)) from None
    if not isinstance(content, Mapping):
        raise _no_completion("it is not a JSON object")
    return as_completion(content)


def as_completion(content: Mapping[str, Any]) -> Completion:
    """A completion as parsed JSON, in any of the shapes that endpoints give it."""
    choices = content.get("choices")
    return Completion(
        choices=[
            _choice(choice, message)
            for choice in (choices if isinstance(choices, list) else ())
            if isinstance(choice, Mapping) and (message := _message(choice)) is not None
        ],
        model=_string(content.get("model")),
        usage=_counts(content.get("usage")),
        error=content.get("error"),
    )


_EVENT = re.compile(rb"\s*(?:data|event|id|retry)?:")


def _no_completion(problem: str) -> TransportError:
    return TransportError(
        f"the endpoint's response is not a chat completion: {problem}", kind="server_error"
    )


def _json(text: bytes | str) -> Any:
    try:
        return from_json(text)
    except ValueError:  # half a character, which Python's own parser reads as one
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error


def _choice(choice: Mapping[str, Any], message: Mapping[str, Any]) -> Choice:
    calls = message.get("tool_calls") or message.get("function_call") or []
    calls = [calls] if isinstance(calls, Mapping) else calls
    tools = [_call(call) for call in calls if isinstance(call, Mapping)]
    return Choice(
        message=ReplyMessage(
            content=_text(message.get("content")),
            refusal=_string(message.get("refusal")) or _refusal(message.get("content")),
            tool_calls=tools or None,
        ),
        finish_reason=_string(choice.get("finish_reason") or choice.get("stop_reason")),
        logprobs=choice.get("logprobs"),
        error=choice.get("error"),
    )


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    message = choice.get("message")
    if isinstance(message, Mapping):
        return message
    return {"content": choice["text"]} if isinstance(choice.get("text"), str) else None


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function")
    function = function if isinstance(function, Mapping) else call
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(
        id=_string(call.get("id")) or "call",
        function=Function(name=_string(function.get("name")) or "", arguments=arguments),
    )


def _text(content: Any) -> str | None:
    """The text of a message's content: text, parts of it, or JSON that is already parsed."""
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    if isinstance(content, Mapping) and not {"type", "text"} & content.keys():
        return json.dumps(content, ensure_ascii=False)
    return _part(content)


def _part(part: Any) -> str:
    """The text of one part; parts that hold thinking or a refusal have none."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("thought") is True:
        return ""
    if _OTHER_PART.search(str(part.get("type"))):
        return ""
    text = part.get("text", part.get("content"))
    text = text.get("value") if isinstance(text, Mapping) else text
    return text if isinstance(text, str) else ""


_OTHER_PART = re.compile("think|thought|reason|summary|refusal", re.IGNORECASE)


def _refusal(content: Any) -> str | None:
    parts = content if isinstance(content, list) else ()
    said = (part.get("refusal") for part in parts if isinstance(part, Mapping))
    return next((text for text in said if isinstance(text, str) and text), None)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _counts(usage: Any) -> Counts:
    told = usage if isinstance(usage, Mapping) else {}
    return Counts(
        prompt_tokens=_count(told.get("prompt_tokens", told.get("input_tokens"))),
        completion_tokens=_count(told.get("completion_tokens", told.get("output_tokens"))),
    )


def _count(value: Any) -> int:
    """A number of tokens; some endpoints write fractions or text."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return math.ceil(number) if math.isfinite(number) and number > 0 else 0


def _error_in(body: bytes) -> Any:
    """What an error response holds: an object, else its text."""
    try:
        return _json(body)
    except ValueError:
        return body[:1000].decode("utf-8", "replace").strip()


def _said(content: Any) -> str:
    """The message of an error, in the forms of OpenAI, FastAPI, Ollama, proxies and others."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return next(filter(None, map(_said, content)), "")
    if not isinstance(content, Mapping):
        return ""
    for name in ("error", "message", "msg", "detail", "details", "errors", "error_message"):
        if said := _said(content.get(name)):
            return said
    return json.dumps(content, ensure_ascii=False, default=str) if content else ""


# --- A completion that came as a stream of events


def _assembled(body: bytes) -> dict[str, Any]:
    """The completion that a stream of events is, in the shape of one that comes whole."""
    whole: dict[str, Any] = {"choices": []}
    parts: dict[str, Any] = {"content": "", "refusal": "", "tool_calls": {}}
    choice: dict[str, Any] = {}
    tokens: list[Any] = []
    ended = False
    for event in _events(body):
        if event == "[DONE]":
            ended = True
            continue
        chunk = _json(event)
        if not isinstance(chunk, Mapping):
            continue
        for name in ("model", "usage", "error"):
            whole[name] = chunk.get(name) or whole.get(name)
        for piece in _pieces(chunk):
            choice |= {k: v for k, v in piece.items() if v is not None}
            _add_delta(parts, piece)
            tokens += _field(piece.get("logprobs"), "content") or ()
    if choice:
        calls = [parts["tool_calls"][place] for place in sorted(parts["tool_calls"], key=str)]
        message = choice.get("message") or {**parts, "tool_calls": calls}
        whole["choices"] = [{**choice, "message": message, "logprobs": {"content": tokens}}]
    if whole.get("error") and not choice.get("finish_reason"):
        whole["choices"] = []
    elif not (ended or choice.get("finish_reason")):
        raise TransportError("the stream ended before the reply did", kind="connection")
    return whole


def _events(body: bytes) -> Iterator[str]:
    for event in re.split(r"\r?\n\r?\n|\r\r", body.decode("utf-8", "replace")):
        lines = (line for line in event.splitlines() if line.startswith("data:"))
        if data := "\n".join(line[5:].strip() for line in lines):
            yield data


def _pieces(chunk: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The pieces of the first choice in a chunk."""
    choices = chunk.get("choices")
    for piece in choices if isinstance(choices, list) else ():
        if isinstance(piece, Mapping) and not piece.get("index"):
            yield piece


def _add_delta(parts: dict[str, Any], piece: Mapping[str, Any]) -> None:
    delta = piece.get("delta")
    delta = delta if isinstance(delta, Mapping) else {"content": piece.get("text")}
    for name in ("content", "refusal"):
        parts[name] += _text(delta.get(name)) or ""
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            known = parts["tool_calls"].setdefault(call.get("index"), {"name": "", "arguments": ""})
            said = _call(call).function
            known["name"] += said.name
            known["arguments"] += said.arguments


# --- The text of a completion, and how it ended

Ending = Literal["complete", "truncated", "content_filter", "refusal", "error"]

# In the words of OpenAI, Azure, Anthropic, Gemini, Mistral, Cohere, DeepSeek, Zhipu, Qwen, vLLM,
# SGLang and TGI. A word that is not here is found by what it contains, else it ends a reply well.
_WORDS: Mapping[Ending, str] = {
    "complete": "stop end_turn eos eos_token stop_sequence tool_calls tool_use function_call "
    "complete completed done finished end malformed_function_call",
    "truncated": "length max_tokens max_output_tokens max_length max_new_tokens model_length "
    "model_context_window_exceeded context_length error_limit incomplete",
    "content_filter": "content_filter content_filtered sensitive safety recitation blocklist spii "
    "language prohibited_content image_safety guardrail_intervened error_toxic",
    "refusal": "refusal refused declined",
    "error": "error failed abort aborted cancelled timeout network_error engine_error "
    "insufficient_system_resource",
}
_ENDINGS: Mapping[str, Ending] = {
    word: ending for ending, words in _WORDS.items() for word in words.split()
}
_ENDINGS_BY_PART: tuple[tuple[str, Ending], ...] = (
    (r"length|limit|max_|token|truncat|exceed", "truncated"),
    (r"filter|safety|sensitive|moderat|block|prohibit|guardrail|policy|flag|toxic|unsafe|violat",
     "content_filter"),
    (r"refus|declin", "refusal"),
    (r"error|fail|abort|cancel|timeout|unavailable|overload", "error"),
)  # fmt: skip

# Looked for only in a text that holds no brace, so never in anything that could be a grading.
_DECLINES = re.compile(
    r"\W*(?:i['’]m|i am) (?:very |really |so )?(?:sorry|unable|not able|afraid)\b"
    r"|\W*(?:sorry|unfortunately)\W+i (?:can|could|am|['’]m|must|won)\b"
    r"|\W*i (?:can['’]?t|cannot|can not|won['’]?t|will not|must decline|decline)\b",
    re.IGNORECASE,
)
_FAULT_AS_TEXT = re.compile(
    r"\W*(?:(?:internal )?(?:server )?error\b|failed to obtain answer|rate limit|too many requests"
    r"|bad gateway|service (?:is )?(?:temporarily )?unavailable|upstream |<!doctype html|<html)",
    re.IGNORECASE,
)
_LONGEST_FAULT = 1000  # characters; a longer text without a brace is the model talking


def text_of(response: Completion) -> str:
    """The text of a chat completion, or the arguments of its one tool call.

    Raises:
        EndpointError: The reply is an error, or ended with one.
        TransportError: The reply has no choice in it, or is a fault of the endpoint in words.
        TruncatedError: It ran into its token limit.
        ContentFilterError: The provider withheld it.
        RefusalError: The model declined: the ``refusal`` field is set, or the text has no brace
            in it and begins as refusals do ("I'm sorry", "I cannot", "Unfortunately I").
    """
    if not response.choices:
        if response.error:
            raise EndpointError(_code_of(response.error), {}, {"error": response.error})
        raise TransportError("the endpoint sent a reply without choices", kind="server_error")
    choice = response.choices[0]
    text, ending = _content(choice.message), ending_of(choice.finish_reason)
    if ending == "error" or (choice.error and not text.strip()):
        fault = choice.error or f"the reply ended with finish_reason {choice.finish_reason!r}"
        raise EndpointError(_code_of(choice.error), {}, {"error": fault})
    if ending == "content_filter":
        raise ContentFilterError("the provider's content filter withheld the reply", raw=text)
    if refusal := choice.message.refusal or (ending == "refusal" and (text or "no reason given")):
        raise RefusalError(f"the model declined: {refusal[:200]}", raw=refusal)
    if ending == "truncated":
        raise TruncatedError("the reply ran into its token limit; raise max_tokens", raw=text)
    if text.strip() and "{" not in text:
        _refuse_prose(text)
    return text


def ending_of(finish_reason: str | None) -> Ending:
    """How a reply ended, by a vendor's word for it.

    >>> ending_of("MAX_TOKENS"), ending_of("end-turn"), ending_of(None)
    ('truncated', 'complete', 'complete')
    """
    word = re.sub(r"[\s.-]+", "_", (finish_reason or "stop").strip().lower())
    if word in _ENDINGS:
        return _ENDINGS[word]
    return next((end for part, end in _ENDINGS_BY_PART if re.search(part, word)), "complete")


def _code_of(error: Any) -> int:
    """The status an error object names, else 500."""
    code = str(error.get("code") or error.get("status")) if isinstance(error, Mapping) else ""
    return int(code) if re.fullmatch(r"[345]\d\d", code) else 500


def _content(message: ReplyMessage) -> str:
    calls = message.tool_calls or []
    if len(calls) == 1 and calls[0].function.arguments.strip():
        return calls[0].function.arguments
    # Several calls would be several gradings; none of them is taken.
    return "" if len(calls) > 1 else message.content or ""


def _refuse_prose(text: str) -> None:
    said = text[_thinking_end(text) :].strip()
    if _DECLINES.match(said):
        raise RefusalError(f"the model declined: {said[:200]}", raw=text)
    if len(text) <= _LONGEST_FAULT and _FAULT_AS_TEXT.match(said):
        raise TransportError(
            f"the endpoint answered with a fault: {said[:200]}", kind="server_error"
        )


# --- The answer in a text

_THOUGHTS = (
    r"\w*(?:think|thought|reason|reflect|rationale|scratchpad|analysis|draft|monologue|plan)\w*|cot"
)
_ANSWERS = "answer|output|response|result|json|final|final_answer|grade|grading|evaluation|verdict"
# A tag on a line of its own that is neither HTML's nor an answer's holds something else.
_BLOCK = (
    rf"(?!(?:{_ANSWERS}|s|b|i|u|p|br|hr|div|span|code|pre|ul|ol|li|table|h\d)[\s/>])[a-z][\w-]*"
)
# Tags, tokens and channels around what a model writes before its answer, in the ways of DeepSeek,
# Qwen, Mistral, Kimi, Cohere, Gemma, Granite, gpt-oss and others.
_MARK = re.compile(
    rf"(?P<end>(?:<|&lt;)/\s*(?:\w+:)?(?P<closes>{_THOUGHTS}|{_BLOCK})\s*(?:>|&gt;)"
    rf"|\[/think(?:ing)?\]|◁/(?:{_THOUGHTS})▷"
    rf"|<\|?(?:end_of_|end_)(?:{_THOUGHTS})\|?>|<\|/(?:{_THOUGHTS})\|>"
    r"|<\|channel\|>\s*final|assistantfinal|<channel\|>|<unused95>|^here is my response:)"
    rf"|(?P<start>(?:<|&lt;)(?:\w+:)?(?P<opens>{_THOUGHTS})(?:\s[^<>]*)?(?:>|&gt;)"
    rf"|^<(?P<block>{_BLOCK})(?:\s[^<>]*)?(?<!/)>"
    rf"|\[think(?:ing)?\]|◁(?:{_THOUGHTS})▷"
    rf"|<\|?(?:begin_of_|start_of_|start_|begin_)?(?:{_THOUGHTS})\|?>"
    r"|<\|channel\|?>\s*(?:analysis|commentary|thought)|<unused94>thought"
    r"|^here is my thought process:|\Aanalysis(?-i:(?=[A-Z])))",
    re.IGNORECASE | re.MULTILINE,
)
# What may follow an answer: white space, a code fence, punctuation, a closing tag, a last token.
_AFTER = re.compile(
    rf"(?:[\s`.,;:!…*_~–—-]|</(?:{_ANSWERS}|s)>"
    r"|<\|(?!\w*(?:think|thought|reason|channel|start|begin))\w{1,24}\|>|<end_of_turn>)*\Z",
    re.IGNORECASE,
)
# LaTeX in a string ("\\geq"): no escape of JSON, so the backslash can only stand for itself.
_NO_ESCAPE = re.compile(r"""\\(?:(?P<escape>["\\/bfnrt]|u[0-9a-fA-F]{4})|)""")
_MOST_BRACES = 1000  # that begin no object; a text with more of them is not read to its end


def read_completion(text: str, read: Callable[[str], object]) -> str:
    """The answer in a reply: the one JSON object at its end, read with the reply model.

    Text before the object is never the answer: it may be thinking, a draft or an example. So
    nothing but punctuation, a code fence or a closing tag may follow the object, and it must not
    stand in a block of thinking that was never closed.

    Args:
        text: The reply.
        read: Reads JSON text with the reply model.

    Raises:
        ValidationError: There is no object at the end, it does not satisfy the model, or another
            one before it does and says something else.

    >>> class Verdict(BaseModel):
    ...     level: int
    >>> text = '<think>{"level": 0}?</think> Here it is: {"level": 1}.'
    >>> read_completion(text, Verdict.model_validate_json)
    '{"level": 1}'
    """
    body = _NO_ESCAPE.sub(_kept_backslash, text.strip("\ufeff \t\r\n"))
    if body.startswith("{") and body.endswith("}"):
        try:
            read(body)
        except ValidationError:
            spans = list(_objects(body))
            if len(spans) < 2:  # it is the only object, and what is wrong with it is said
                raise
        else:
            return body
    else:
        spans = list(_objects(body))
    return _last_object(body, spans, read)


def _kept_backslash(match: re.Match[str]) -> str:
    return match[0] if match["escape"] else "\\\\"


def checked_completion(model: type[BaseModel], found: list[str]) -> type[BaseModel]:
    """The reply model with `read_completion` for its JSON parser, for instructor to validate with.

    Args:
        model: The reply model.
        found: Gets the text of each reply that is valid.
    """

    class Checked(model):  # type: ignore[misc, valid-type]  # a base class known at run time only
        @classmethod
        def model_validate_json(cls, json_data: str, **_: Any) -> Any:
            text = read_completion(json_data, model.model_validate_json)
            found.append(text)
            return model.model_validate_json(text)

    Checked.__name__ = model.__name__
    return Checked


def _last_object(text: str, spans: list[tuple[int, int]], read: Callable[[str], object]) -> str:
    start, end = spans[-1] if spans else (0, 0)
    if not spans or not _AFTER.match(text, end):
        raise _unreadable("the reply does not end with one complete JSON object", text)
    thinking = _thinking_end(text, start)
    if thinking > start:
        raise _unreadable("the reply ends within its thinking; the JSON object must follow", text)
    answer = text[start:end]
    others = [_read_or_none(text[s:e], read) for s, e in spans[:-1] if s >= thinking]
    said = read(answer)
    for other in others:
        if other not in (None, said):
            raise _unreadable(
                "the reply has several JSON objects in it; answer with one JSON object only", text
            )
    return answer


def _thinking_end(text: str, before: int | None = None) -> int:
    """Where the thinking before a place ends; 0 if there is none, the text's end if it does not."""
    end, opened = 0, list[str]()
    for mark in _MARK.finditer(text, 0, len(text) if before is None else before):
        if mark["start"]:
            opened.append((mark["opens"] or mark["block"] or "").lower())
            continue
        closed = (mark["closes"] or "").lower()
        if closed in opened:  # a tag closes its own block
            opened = opened[: -1 - opened[::-1].index(closed)]
        elif not closed or re.fullmatch(_THOUGHTS, closed):
            opened = []  # thinking that the prompt began closes all
        else:
            continue
        end = mark.end()
    return len(text) if opened else end


def _read_or_none(text: str, read: Callable[[str], object]) -> object:
    try:
        return read(text)
    except ValidationError:
        return None


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each complete JSON object; a brace that begins none is passed over."""
    decoder = json.JSONDecoder()
    start, misses = text.find("{"), 0
    while start >= 0 and misses < _MOST_BRACES:
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            misses += 1
            start = text.find("{", start + 1)
        else:
            yield start, end
            start = text.find("{", end)


def _unreadable(problem: str, text: str) -> ValidationError:
    error = PydanticCustomError("unreadable", "{problem}", {"problem": problem})
    return ValidationError.from_exception_data(
        "reply", [InitErrorDetails(type=error, input=text)], input_type="json"
    )


# --- The log probabilities of a reply's tokens, as the endpoint gave them

_NEVER = -9999.0
"""What endpoints write where JSON has no minus infinity."""


def token_records(response: Any) -> tuple[TokenRecord, ...] | None:
    """One record a token of the first choice; ``None`` where the endpoint gave none.

    >>> token = {"token": "YES", "logprob": -0.1, "top_logprobs": [{"token": "NO", "logprob": -2}]}
    >>> choice = {"message": {"content": "YES"}, "logprobs": {"content": [token]}}
    >>> token_records(as_completion({"choices": [choice]}))
    (('YES', -0.1, (('NO', -2.0),)),)
    """
    content = _field(_field(response.choices[0], "logprobs"), "content")
    if not content:
        return None
    try:
        return tuple(
            (*_pair(token), tuple(_pair(top) for top in _field(token, "top_logprobs") or ()))
            for token in content
        )
    except (TypeError, ValueError, OverflowError):
        return None  # not in the form that OpenAI has given it: no confidence, the reply holds


def token_text(recorded: TokenText) -> str:
    r"""A recorded token's text; a part of a character is kept by ``surrogateescape``.

    >>> token_text((0xE2, 0x89)) + token_text((0xA5,))
    '\udce2\udc89\udca5'
    """
    if isinstance(recorded, str):
        return recorded
    return bytes(recorded).decode("utf-8", "surrogateescape")


def _pair(token: Any) -> tuple[TokenText, float]:
    logprob = float(_field(token, "logprob"))
    text = _token_text(str(_field(token, "token")), _field(token, "bytes"))
    return text, logprob if math.isfinite(logprob) else _NEVER


def _token_text(text: str, given: Iterable[int] | None) -> TokenText:
    """The text, or its bytes where they are a part of a character and no text by themselves."""
    if given is None or (text.isascii() and len(text) == len(list(given))):
        return text
    whole = bytes(list(given))
    try:
        return whole.decode()
    except UnicodeDecodeError:
        return tuple(whole)


def _field(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)
