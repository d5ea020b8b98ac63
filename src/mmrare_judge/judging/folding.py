"""Text folded for comparison: spellings that mean the same become the same tokens (`fold`).

A judge that copies a quote changes how it is written: spaces, quote marks, "≥" or ">=", a line
break in JSON. None of that changes what is said. A number, a unit, a word is never folded into
another one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

# --- What is told apart

UNSPACED = (  # scripts without spaces between words, and Hangul, whose particles follow unspaced
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"
    "\u1b00-\u1b7f\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua9df\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""A class of characters of which each is a token by itself."""

_LETTER = rf"(?:[^\W\d_{UNSPACED}]|[\u0300-\u036f\u0483-\u0487\u0900-\u0963\u0971-\u0dff])"

_TOKEN = re.compile(
    rf"""
    (?P<number>
        \d{{1,3}}(?:\.\d{{3}})+,\d+(?!\d)                      # 1.000,5
      | \d{{1,3}}(?:(?:[,'\xa0]\d{{2,3}})*[,'\xa0]\d{{3}}|(?:\ 000)+|(?:\ \d{{3}}){{2,}})
        (?:\.\d+)?(?!\d)                                      # 1,000.5
      | \d+(?:[.,·]\d+)*
      | (?<!\w)\.\d+
    )
  | (?P<unspaced>[{UNSPACED}])
  | (?P<word>[a-z]{{2,}}(?=[αβγδεκλ](?![^\W\d_])) | {_LETTER}+(?:'{_LETTER}+)*)
  | (?P<sign><=>|<-{{1,3}}>?|-{{1,3}}>|={{1,3}}>|<=|>=|=<|\+/-|[!=]=|[^\w\s]|_)
    """,
    re.VERBOSE,
)

_SIGNS = {
    **dict.fromkeys(("<=", "=<"), "≤"),
    **dict.fromkeys((">=",), "≥"),
    **dict.fromkeys(("<=>",), "↔"),
    **{"+/-": "±", "!=": "≠", "==": "=", "~": "≈"},
}
_SILENT = frozenset("\"'`()[]{}*_$#|\\•·‣◦▪■●○□¶†‡✅✔✓☑👉🔹🔸➤")
"""Signs that a judge leaves out or adds without changing what is said."""

PUNCTUATION = frozenset(".,;:!?–")
"""Signs that an approximate match need not have; "–" is a dash between words."""

_MICRO = re.compile(r"mc(?:g|l|m|mol|ci|u|iu)")
_MICRO_AFTER_NUMBER = re.compile(r"u(?:g|l|m|mol)")
_GREEK = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {name}").lower()
    for name in "alpha beta gamma delta epsilon kappa lamda mu sigma omega".split()
} | {"lambda": "λ", "ς": "σ"}

# --- What is rewritten before the text is cut into tokens

_LATEX = {
    "times": "×", "cdot": "×", "ast": "×", "div": "÷", "pm": "±", "mp": "∓",
    "le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥",
    "lt": "<", "gt": ">", "ll": "≪", "gg": "≫", "ne": "≠", "neq": "≠", "equiv": "≡",
    "approx": "≈", "sim": "≈", "simeq": "≈", "infty": "∞", "degree": "°", "circ": "°",
    "to": "→", "rightarrow": "→", "longrightarrow": "→", "Rightarrow": "→", "implies": "→",
    "leftarrow": "←", "Leftarrow": "←", "leftrightarrow": "↔", "uparrow": "↑", "downarrow": "↓",
    "micro": "μ", "varepsilon": "ε", "theta": "θ", "tau": "τ", "rho": "ρ", "nu": "ν", "pi": "π",
    "phi": "φ", "varphi": "φ", "psi": "ψ", "chi": "χ", "eta": "η", "zeta": "ζ", "iota": "ι",
    "xi": "ξ", "Delta": "Δ", "Omega": "Ω", "Sigma": "Σ", "Gamma": "Γ", "Lambda": "Λ",
    **_GREEK,
    **dict.fromkeys("quad qquad newline hfill item par".split(), " "),
    **dict.fromkeys(
        "frac dfrac tfrac mathrm mathbf mathit mathsf mathcal text textbf textit textrm textsf "
        "textsuperscript textsubscript emph underline overline operatorname boldsymbol rm bf it "
        "left right big Big bigl bigr displaystyle mbox hbox unit si SI ce bar hat vec tilde "
        "begin end".split(),
        "",
    ),
}  # fmt: skip
"""Commands and what they mean; formatting means nothing."""

_DAMAGED = {  # what is left of a command whose backslash and first letter JSON read as an escape
    "\t": "imes heta au ext extbf extit extrm frac o ilde",
    "\n": "eq e u",
    "\r": "ho m ight ightarrow",
    "\f": "rac",
    "\b": "eta ar f egin oldsymbol ig igl igr",
}
_ESCAPED = {"\t": "t", "\n": "n", "\r": "r", "\f": "f", "\b": "b"}

_TAGS = (
    "a abbr b big blockquote br center cite code dd del div dl dt em font h[1-6] hr i img ins kbd "
    "li mark ol p pre q s small span strike strong sub sup table tbody td tfoot th thead tr tt u ul"
).split()
_BREAKS = frozenset(
    "blockquote br dd div dl dt hr li ol p pre table tbody td tfoot th tr ul".split()
)
_SUPERSCRIPT = "⁰¹²³⁴-⁹⁺⁻"
_MARKS_ABOVE = "\u0300-\u036f\u20d0-\u20ff\u3099\u309a"

_DAMAGED_COMMAND = "|".join(
    re.escape(first + rest)
    for first, all_rests in _DAMAGED.items()
    for rest in sorted(all_rests.split(), key=len, reverse=True)
)

_ODD = rf"""
    (?P<damaged>(?:{_DAMAGED_COMMAND})(?![^\W\d_]|[{_MARKS_ABOVE}]))
  | \\+(?P<micro>(?:mu|micro)(?![A-Za-z])\}}?\$?[ ]?)
  | \\+(?:u(?P<code>[0-9a-fA-F]{{4}})|(?P<command>[A-Za-z]+)(?![{_MARKS_ABOVE}])
        |(?P<escaped>[!-/:-@\[-`{{-~])(?![{_MARKS_ABOVE}])|(?=\s|\w|\Z))
  | (?P<bullet>(?:(?<=\n)|\A)[ \t]*[-+–—][ \t]+(?=[^\W\d_]|[*_`"'(\[]))
  | </?(?P<tag>(?i:{"|".join(_TAGS)}))(?:\s[^<>]{{0,500}})?/?>
  | &(?:amp;)*(?P<entity>\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,30}});
  | (?P<link>\]\((?:[^\s()]|\([^\s()]{{0,200}}\)){{1,1000}}
        (?:\ +(?:"[^"\n]{{0,200}}"|'[^'\n]{{0,200}}'))?\))
  | (?P<lost>(?<=[.:;,!?)\]*])n{{1,3}}(?=[A-Z][a-z]|\d{{1,2}}[.)][ ]|[-*#•–][ *#]|\*\*)
        |(?<=[a-z])n(?=[A-Z][a-z]))
  | (?P<over>\}}[ ]?\{{)
  | (?P<times>(?<=\d)[ ]?(?<!\*)\*(?!\*)[ ]?(?=\d))
  | (?P<tilde>(?<=\d)~(?=[^\W\d_]|\\))
  | (?P<mark>[*`{{}}$]+|~~+|(?<![^\W_])(?<![{_MARKS_ABOVE}])_+|_+(?![^\W_]))
  | (?P<power>[{_SUPERSCRIPT}]+)
  | (?P<foreign>(?:[!-~](?=[{_MARKS_ABOVE}])|[^\x00-\x7f{_SUPERSCRIPT}])+)
"""
# Where something odd can begin. Nearly every character of a text is told here that it is not odd,
# which takes a third of the time that the alternatives above take to say so one by one.
_CAN_BEGIN = rf"""(?:
    (?=[^A-Za-mo-z0-9 .,;:()/?!%='"-]) | (?<=\n) | \A | (?=-\n)
    | (?<=\d)(?=[ ]) | (?=[!-~][{_MARKS_ABOVE}])
)"""
_ODD_PLACES = re.compile(f"{_CAN_BEGIN}(?:{_ODD})", re.VERBOSE)
DAMAGED = re.compile(rf"(?:{_DAMAGED_COMMAND})(?![^\W\d_])")
"""What is left of a LaTeX command whose backslash JSON read as an escape."""

_NUMBERED = r"""  # what numbers the lines of a list, or refers to a source
    (?P<numbering>(?:(?<=\n)|\A)[ \t>]*(?:[-*+•][ \t]+)?(?:
        (?:\#{1,6}|\*\*\d{1,3}[.)]\*\*|\(?\d{1,3}[.):]|\(?(?:[a-zA-Z]|[ivxIVX]{1,5})[.)]
          |\[[ xX]\]|[☐☑☒])
        [ \t]+(?=[^\s\d])
      | \d{1,2}(?:[.)]|(?:\.\d{1,2}){1,3}\.?[ \t]+)(?=[A-Z*\u3400-\u9fff])
      | (?:[(（]?[一二三四五六七八九十\d]{1,3}[、)）]|[\u2460-\u24ff\u2776-\u2793])[ \t]*(?=[^\s\d])
    ))
  | (?P<quoted>(?:(?<=\n)|\A)>[ \t]?(?=[^\s\d]))
  | (?P<circled>[\u2460-\u2487\u2776-\u2793])
  | (?P<underlined>(?<=\n)={3,}[ \t]*(?=\n|\Z))
  | (?P<hyphenated>(?<=[^\W\d_])[-\u2010]\n[ \t]*(?=[a-z]))
  | (?P<source>\[\^?\d{1,3}(?:\s?[,–-]\s?\^?\d{1,3}){0,20}\](?!\())
"""
_NUMBERING = re.compile(_NUMBERED, re.VERBOSE)
_ODD_OR_NUMBERED = re.compile(f"{_CAN_BEGIN}(?:{_NUMBERED}|{_ODD})", re.VERBOSE)

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛‹›´ʼ′ˈ׳", "'"),
        **dict.fromkeys("“”„‟«»״″「」『』【】《》〈〉〝〞", '"'),
        **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－", "-"),
        **dict.fromkeys("→⇒⟶⟹➔➙➛➜➝➞➡⮕►▶⇨↦", "→"),
        **dict.fromkeys("←⇐⟵⬅", "←"),
        **dict.fromkeys("↔⇔⟷", "↔"),
        **dict.fromkeys("×✕✖⨯⋅∙∗", "×"),
        **dict.fromkeys("≤≦⩽≲", "≤"),
        **dict.fromkeys("≥≧⩾≳", "≥"),
        **dict.fromkeys("≈∼～〜≃≅", "≈"),
        **dict.fromkeys("º˚ᵒ∘", "°"),
        **dict.fromkeys("∕⁄÷", "/"),
        **dict.fromkeys("。｡．", "."),
        **dict.fromkeys("、，،", ","),
        **dict.fromkeys("・･‧⋅", "·"),
        **{"٫": ".", "٬": ",", "؛": ";", "؟": "?", "٪": "%", "ـ": ""},
        **{"ى": "ي", "ی": "ي", "ې": "ي", "ک": "ك", "ة": "ه", "ہ": "ه", "ھ": "ه", "ٱ": "ا"},
        **{"İ": "i", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ё": "е", "Ё": "е"},
        **dict.fromkeys("\u2007\u2008\u2009\u202f", "\xa0"),
    }
)
_OPTIONAL_MARKS = re.compile("[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
"""Vowel points and the like of Hebrew and Arabic."""


class Piece(NamedTuple):
    """A stretch of the rewritten text and where it comes from.

    Attributes:
        begin: Where it begins in the rewritten text.
        start: Where it begins in the original.
        end: Where it ends there.
        same: Its characters are those of the original, one for one.
    """

    begin: int
    start: int
    end: int
    same: bool


class Rewritten:
    """A text without markup and damage, and the way back to the original."""

    def __init__(self, text: str, *, numbering: bool) -> None:
        self._pieces: list[Piece] = []
        self._length = 0
        pattern = _ODD_PLACES if numbering else _ODD_OR_NUMBERED
        parts: list[str] = []
        position = 0
        for match in pattern.finditer(text):
            parts.append(self._add(text[position : match.start()].lower(), position, same=True))
            for part, start, end in _rewritten(match):
                parts.append(self._add(part, start, end))
            position = match.end()
        parts.append(self._add(text[position:].lower(), position, same=True))
        self.text = "".join(parts)

    def _add(self, part: str, start: int, end: int = 0, *, same: bool = False) -> str:
        if part:
            self._pieces.append(
                Piece(self._length, start, start + len(part) if same else end, same)
            )
            self._length += len(part)
        return part

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Begin and end, in the original, of what became ``text[begin:end]``."""
        return self._original(begin)[0], self._original(end - 1)[1]

    def _original(self, position: int) -> tuple[int, int]:
        piece = self._pieces[bisect_right(self._pieces, position, key=lambda p: p.begin) - 1]
        if not piece.same:
            return piece.start, piece.end
        start = piece.start + position - piece.begin
        return start, start + 1


def _rewritten(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """What a match becomes, part by part, each with its begin and end in the original."""
    kind = match.lastgroup or "nothing"
    if kind == "foreign":
        yield from _folded_clusters(match[0], match.start())
    else:
        yield _REWRITE[kind](match[0], match[kind] if kind != "nothing" else ""), *match.span()


def _folded_clusters(run: str, offset: int) -> Iterator[tuple[str, int, int]]:
    """Fold a run, character by character with the combining marks behind it."""
    first = 0
    for index in range(1, len(run) + 1):
        if index == len(run) or not _continues(run[index]):
            yield _folded_cluster(run[first:index]), offset + first, offset + index
            first = index


def _continues(character: str) -> bool:
    """Whether a character may be composed with the one before it."""
    jamo = "\u1160" <= character <= "\u11ff"
    return jamo or character in "ﾞﾟ" or unicodedata.category(character) in ("Mn", "Mc")


@lru_cache(maxsize=4096)
def _folded_cluster(cluster: str) -> str:
    visible = "".join(c for c in cluster if unicodedata.category(c) != "Cf")
    if visible in ("", "\xa0"):
        return visible
    if unicodedata.decomposition(visible[:1]).startswith("<fraction>"):
        return f" {unicodedata.normalize('NFKC', visible).translate(_CHARACTERS)} "
    visible = unicodedata.normalize("NFC", visible)
    decomposed = _OPTIONAL_MARKS.sub(
        "", unicodedata.normalize("NFD", visible.translate(_CHARACTERS))
    )
    composed = unicodedata.normalize("NFKC", decomposed).translate(_CHARACTERS).casefold()
    return "".join(_ascii_digit(c) for c in unicodedata.normalize("NFC", composed))


def _ascii_digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _command(_: str, name: str) -> str:
    if name in _LATEX:
        return _LATEX[name]
    # A backslash and "n" before a word is a line break that was escaped once too often.
    return f" {name[1:].lower()}" if name[0] in "nrt" else name.lower()


def _tag(whole: str, name: str) -> str:
    if name.lower() == "sup":
        return "" if whole[1] == "/" else "^"
    return " " if name.lower() in _BREAKS else ""


def _code(_: str, digits: str) -> str:
    return _one(chr(int(digits, 16)))


def _entity(whole: str, name: str) -> str:
    decoded = html.unescape(f"&{name};")
    return whole.lower() if decoded == f"&{name};" else _one(decoded)


def _one(decoded: str) -> str:
    """A decoded character, folded."""
    if decoded.isascii():
        return decoded.lower()
    return "".join(part for part, _, _ in _folded_clusters(decoded, 0))


def _damaged(whole: str, _: str) -> str:
    return _command(whole, _ESCAPED[whole[0]] + whole[1:])


def _power(whole: str, _: str) -> str:
    raised = unicodedata.normalize("NFKC", whole).translate(_CHARACTERS)
    return f"^{raised}" if any(map(str.isdigit, raised)) else raised  # a charge is no power


_REWRITE: dict[str, Callable[[str, str], str]] = {
    "damaged": _damaged,
    "micro": lambda *_: "μ",
    "code": _code,
    "command": _command,
    "escaped": lambda _, sign: sign if sign in "%&<>=+-./" else " " if sign in ",;:! \\" else "",
    "nothing": lambda *_: " ",
    "bullet": lambda *_: " ",
    "tag": _tag,
    "entity": _entity,
    "link": lambda *_: " ",
    "lost": lambda *_: " ",
    "over": lambda *_: "/",
    "times": lambda *_: "×",
    "tilde": lambda *_: " ",
    "mark": lambda *_: "",
    "power": _power,
    "numbering": lambda *_: " ",
    "source": lambda *_: " ",
    "quoted": lambda *_: " ",
    "circled": lambda *_: " ",
    "underlined": lambda *_: " ",
    "hyphenated": lambda *_: "",
}


# --- Tokens


class Folded:
    """A text as words: each a word, a number, a sign, or a character of a script without spaces.

    Attributes:
        original: The text as it was.
        words: What it says.
    """

    def __init__(self, text: str, *, numbering: bool) -> None:
        self.original = text
        self.words: list[str] = []
        self._rewritten = Rewritten(text, numbering=numbering)
        self._places: list[tuple[int, int]] = []
        tokens = list(_TOKEN.finditer(self._rewritten.text))
        for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
            word = _said(before, token, after)
            if word:
                self.words.append(word)
                self._places.append(token.span())

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Begin and end, in the original, of the words from ``first`` to ``last``."""
        return self._rewritten.span(self._places[first][0], self._places[last][1])


def fold(text: str, *, numbering: bool = True) -> Folded:
    r"""Fold a text: markup, damage and spelling that change nothing of what is said are gone.

    Gone or made equal are: case, white space, compatibility forms (NFKC), invisible characters,
    quote marks, brackets, bullets, dashes, Markdown, HTML, LaTeX (also where JSON read its
    backslash as an escape), signs and their ASCII spelling, digits of other scripts, the grouping
    of digits, spaces around numbers and signs, hyphens between letters, micro and degree signs.

    Args:
        text: The text.
        numbering: Keep the numbers of lists, headings and sources; a judge may leave them out.

    >>> fold("Give  “**Prednisone**”\n≥1,000 µg").words
    ['give', 'prednisone', '≥', '1000', 'μg']
    """
    return Folded(text, numbering=numbering)


def has_numbering(text: str) -> bool:
    """Whether `fold` would leave something out without ``numbering``."""
    return _NUMBERING.search(text) is not None


_Token = re.Match[str]


def _said(before: _Token | None, token: _Token, after: _Token | None) -> str:
    """What a token says between its neighbours; nothing if it can be left out."""
    match token.lastgroup:
        case "word":
            alone = _plain_word(token[0])
            return _word(before, token[0].replace("'", ""), after) if alone is None else alone
        case "number":
            return _number(token[0])
        case "unspaced":
            return token[0]
        case _:
            return _sign(before, token, after)


@lru_cache(maxsize=16384)
def _plain_word(word: str) -> str | None:
    """What a word says, or nothing if that depends on its neighbours."""
    word = word.replace("'", "")
    if word in _DEPENDENT or _MICRO_AFTER_NUMBER.fullmatch(word):
        return None
    return _word(None, word, None)


@lru_cache(maxsize=4096)
def _number(text: str) -> str:
    """A number without grouping, with a point before decimals.

    >>> [_number(text) for text in ("1,000", "1,5", "0,125", "1·5", ".5", "1.000,5", "1.2.3")]
    ['1000', '1.5', '0.125', '1.5', '0.5', '1000.5', '1.2.3']
    """
    text = text.replace("·", ".").replace("\xa0", "").replace(" ", "").replace("'", "")
    if text.count(",") == 1 and re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", text):
        return text.replace(".", "").replace(",", ".")
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", text):
        return text.replace(",", "")
    text = text.replace(",", ".")
    return f"0{text}" if text.startswith(".") else text


def _word(before: _Token | None, word: str, after: _Token | None) -> str:
    numeric = _is(before, "number") or (before is not None and before[0] == "/")
    if word == "x" and (_is(before, "number") or _is(after, "number")):
        return "×"
    if _MICRO.fullmatch(word):
        return f"μ{word[2:]}"
    if numeric and _MICRO_AFTER_NUMBER.fullmatch(word):
        return f"μ{word[1:]}"
    if word in ("deg", "degree", "degrees") and after is not None and after[0] in _SCALES:
        return "°"
    if word in _SCALES and before is not None and before[0] in ("°", "deg", "degree", "degrees"):
        return word[0]
    return _GREEK.get(word, word)


_SCALES = ("c", "f", "celsius", "fahrenheit", "centigrade")
_DEPENDENT = frozenset(("x", "deg", "degree", "degrees", *_SCALES))


def _sign(before: _Token | None, token: _Token, after: _Token | None) -> str:
    text = _SIGNS.get(token[0], token[0])
    if len(text) > 1 and text[0] in "<-=" and text[-1] in ">-":
        return "→" if text[0] != "<" else "↔" if text[-1] == ">" else "←"
    if text == "-":
        return _dash(before, token, after)
    if text == "·" and _is(before, "number") and _is(after, "number"):
        return "×"
    if text == "^" and (not _is(before, "number") or (after is not None and after[0] == "°")):
        return ""
    return "" if text in _SILENT else text


def _dash(before: _Token | None, token: _Token, after: _Token | None) -> str:
    """A hyphen says nothing, a minus or "to" between numbers does, a dash is punctuation."""
    if _is(before, "number") and _is(after, "number"):
        return "-"
    joins_before = (
        before is not None and before.lastgroup != "sign" and before.end() == token.start()
    )
    joins_after = after is not None and after.lastgroup != "sign" and after.start() == token.end()
    if joins_before and joins_after:
        return ""
    return "-" if _is(after, "number") and joins_after else "–"


def _is(token: _Token | None, kind: str) -> bool:
    return token is not None and token.lastgroup == kind


def is_number(token: str) -> bool:
    """Whether a folded token is a number."""
    return token[0].isdigit()
