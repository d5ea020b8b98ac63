"""How much an attempt may take at most, guessed from its text before it is sent."""

from __future__ import annotations

from mmrare_judge.backends.wire import Payload, Price
from mmrare_judge.gate import Need

_CHARS_PER_TOKEN = 3  # English has about four, dense clinical abbreviations about three
_FRAME = 8  # tokens around a message: role and separators, rounded up
_REPLY = 8192  # tokens, where no limit is set


def need_of(payload: Payload, price: Price | None) -> Need:
    """The need of one attempt.

    Tokens are those of the messages and of the schema by `most_tokens`, 8 for the frame of each
    message, and the token limit of the reply, 8192 where none is set. A guess, not a proof: a
    prompt of little but figures can take more tokens than its third. The reply's limit, of which
    a reply seldom takes a quarter, leaves room for that.

    >>> body = {"messages": [{"role": "user", "content": "Grade this."}], "max_tokens": 100}
    >>> need_of(Payload(body, "{}", None, 60), Price(prompt=1e-6, reply=1e-5))
    Need(tokens=113, cost=0.001013)
    """
    prompt = prompt_tokens(payload)
    reply = _reply_limit(payload)
    cost = None if price is None else prompt * price.prompt + reply * price.reply
    return Need(tokens=prompt + reply, cost=cost)


def prompt_tokens(payload: Payload) -> int:
    """Tokens of the messages and the schema, on the high side; see `need_of`."""
    texts = [_text(message) for message in payload.body["messages"]]
    return sum(most_tokens(text) + _FRAME for text in texts) + most_tokens(payload.structure)


def most_tokens(text: str) -> int:
    """A text's tokens, on the high side: a third of its characters, and its bytes beyond ASCII.

    Characters outside ASCII take 2 to 4 bytes in UTF-8, and no tokeniser makes more tokens of a
    text than it has bytes.

    >>> most_tokens("prednisone"), most_tokens("≥ 5 µg")
    (4, 5)
    """
    beyond = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - len(text)
    return -(-len(text) // _CHARS_PER_TOKEN) + beyond  # rounded up


def _text(message: dict[str, object]) -> str:
    content = message.get("content") or ""
    calls = message.get("tool_calls") or ""
    return f"{content}{calls}" if calls else str(content)


def _reply_limit(payload: Payload) -> int:
    body = payload.body
    return int(body.get("max_tokens") or body.get("max_completion_tokens") or _REPLY)
