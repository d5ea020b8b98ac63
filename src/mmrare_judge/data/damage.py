"""Cells that were damaged on the way: what stands for no answer or no entry, and Excel's escapes.

Spreadsheets, data frames and harnesses write words of their own where a value is missing or a
request failed. What is surely such a word is told apart from what an author may have meant.
"""

from __future__ import annotations

import re
from html.entities import html5


def _words(listed: str) -> frozenset[str]:
    return frozenset(word.strip() for word in re.split(r"[|\n]", listed.strip()))


# "#NAME?", "#¡VALOR!", "#ССЫЛКА!", "#DIV/0!": in any language, letters between # and ! or ?.
_SPREADSHEET_ERROR = re.compile(
    r"#[¿¡]?[^\W\d_][^\W1-9]{1,20}(?:/0)?[^\W\d_]{0,10}[!?]|#[^\W\d_]{1,6}/0!"
    r"|#N/A|#N/D!?|#N/B|#NA|#NV|#N\.D\.|#Н/Д|#I/T|#YOK|#HIÁNYZIK|#NENÍ_K_DISPOZICI|#GETTING_DATA"
    r"|#ERR\d*"
)
_NOT_AVAILABLE = frozenset("#N/A #N/D #N/D! #N/B #NA #NV #N.D. #Н/Д #I/T #YOK #NULL!".split())

_MISSING = frozenset(
    "nan NaN NAN Nan -nan -NaN +nan None null NULL Null (null) (none) <null> <NULL> <none> <None> "
    "NaT <NA> nil undefined \\N NoneType 1.#QNAN -1.#QNAN 1.#IND -1.#IND".split()
)
"""How programs write a value that is not there."""

_FAILED = _words("""
    $error$|[error]|<error>|error|errors|api error|api_error|apierror|server error|request error
    unknown error|internal error|internal server error|bad gateway|gateway timeout|bad request
    service unavailable|too many requests|rate limit|rate limit exceeded|rate limited
    quota exceeded|connection error|connection timeout|connection refused|network error
    timeout|timeout error|timed out|request timed out|read timed out|time out|[timeout]
    failed|failure|[failed]|request failed|api call failed|api request failed|call failed
    generation failed|generation error|inference failed|inference error|model error|infer failed
    no response|[no response]|no response from model|no response (bad request)|response error
    no response received|no response from api|empty response|[empty]|<empty>|(empty)|no output
    no output generated|no answer recorded|no answer was recorded|no prediction|invalid response
    error in generating response|error generating response|out of memory|cuda out of memory
    [object object]|model_error|llm error|llm call failed|failed to generate|__missing__|(blank)
    an error occurred|sorry, an error occurred|生成失败|回答失败
    exceeded max retries|max retries exceeded|maximum retries exceeded
    fehler|serverfehler|zeitüberschreitung|keine antwort erhalten|erreur|erreur serveur
    délai dépassé|aucune réponse|errore|nessuna risposta|sin respuesta|tiempo agotado|erro
    sem resposta|geen antwoord|ошибка|нет ответа|错误|请求失败|调用失败|网络错误|超时|无响应
    无法获取答案|获取答案失败|エラー|応答なし|タイムアウト|오류|응답 없음
""")
"""What harnesses and clients write in the place of an answer where a request failed."""

_FAILED_SHAPE = re.compile(
    r"failed to (?:obtain|get|generate|fetch|retrieve|receive|produce) "
    r"(?:an? |the |any )?(?:valid )?(?:model )?(?:answer|response|output|completion|prediction)\b"
    r"|(?:unable|not able) to (?:obtain|get|fetch|retrieve) (?:an? |the )?(?:answer|response)\b"
    r"|(?:api|llm|model) (?:call|request) failed (?:after|with|due)\b"
    r"|\*\*(?:api )?(?:request )?error\*\*"
    r"|\[?failed_infer\]?|@\|@\|@internal_error|\**network error due to high traffic"
    r"|\$(?:error|moderation)\$|your input violates our content moderation"
    r"|traceback \(most recent call last\)|https?connectionpool\(|error code: ?\d{3}\b"
    r"|(?:http )?(?:api |server |status )?(?:error|code|status)[: ]+[45]\d\d\b"
    r"|(?:http(?:/\d\.?\d?)? )?[45]\d\d (?:client error|server error|bad request|unauthorized|"
    r"forbidden|too many requests|internal server error|bad gateway|service unavailable|"
    r"gateway time-?out)\b"
    r"|\{\s*[\"']error[\"']\s*:|<(?:!doctype )?html[^\0]{0,500}?\b[45]\d\d\b"
    r"|(?:api|request|connection|inference|generation|network|server|litellm|openai)"
    r"[ _]?(?:error|failure|exception|timeout)\s*[:(\[-]"
    r"|\[(?:error|failed|timeout)[^\]\n]{0,200}\]|(?:error|exception)\s*:",
    re.IGNORECASE,
)
"""How a text begins that tells of a failed request."""
_EXCEPTION = re.compile(
    r"(?:(?:[A-Za-z_]\w*\.)*[A-Z]\w*|(?:[a-z_]\w*\.)+)(?:Error|Exception|Timeout)\s*(?:[:(]|$)"
)
_LONGEST_FAULT = 20_000

_NOTHING = _words("""
    n/a|n.a|n.a.|n/d|none|not available|not applicable|none given|none known|none listed
    none specified|none reported|no data|keine|keine angabe|k. a|k.a|k. a.|nicht zutreffend
    entfällt|aucun|aucune|néant|sans objet|non applicable|ninguno|ninguna|no aplica|no disponible
    nessuno|nessuna|nenhum|nenhuma|não se aplica|geen|ingen|brak|нет|无|無|沒有|没有|不适用
    なし|該当なし|없음|해당 없음
""")
"""Words for nothing: no entry in a list; as an answer, one that may have been meant."""

_DOUBTFUL = _NOTHING | _words("""
    na|no answer|unknown|not given|not reported|not known|unanswered|missing|blank|empty|nothing
    unbekannt|inconnu|desconocido|sconosciuto|onbekend|неизвестно|未知|不明
""")

# --- Answers


def no_answer(text: str) -> str | None:
    """What stands in the place of an answer, if it surely is not one.

    >>> no_answer("#NAME?"), no_answer("NaN"), no_answer("Rest.")
    ("the spreadsheet error '#NAME?'", "the missing value 'NaN'", None)
    >>> no_answer("Failed to obtain answer via API.")
    "the mark of a failed request, 'Failed to obtain answer via API.'"
    """
    if len(text) > _LONGEST_FAULT:
        return None
    bare = _bare(text)
    shown = bare if len(bare) <= 80 else f"{bare[:80]}…"
    if spreadsheet_error(bare):
        return f"the spreadsheet error {shown!r}"
    if bare in _MISSING:
        return f"the missing value {shown!r}"
    marked = bare.casefold().rstrip(" .!…。！") in _FAILED
    if marked or _FAILED_SHAPE.match(bare) or _EXCEPTION.match(bare):
        return f"the mark of a failed request, {shown!r}"
    return None


def doubtful_answer(text: str) -> bool:
    """Whether a whole answer is a word that may stand for no answer, and may be one.

    >>> doubtful_answer("N/A"), doubtful_answer("-"), doubtful_answer("No."), doubtful_answer("")
    (True, True, False, False)
    """
    bare = _bare(text).casefold()
    return bare != "" and (bare.rstrip(" .!") in _DOUBTFUL or not _says_anything(bare[:1000]))


def no_id(text: str) -> bool:
    """Whether an id was lost.

    >>> no_id("#REF!"), no_id("nan"), no_id("Nan-7")
    (True, True, False)
    """
    return spreadsheet_error(text) or _bare(text) in _MISSING


def spreadsheet_error(cell: str) -> bool:
    """Whether a spreadsheet lost what was in a cell.

    >>> spreadsheet_error("#REF!"), spreadsheet_error("#Best choice!")
    (True, False)
    """
    bare = _bare(cell)
    if bare.startswith("#"):
        return bare == bare.upper() and _SPREADSHEET_ERROR.fullmatch(bare) is not None
    return re.fullmatch(r"Err:5\d\d", bare) is not None  # LibreOffice's


def _bare(text: str) -> str:
    """A cell without white space and quotation marks around it."""
    bare = text.strip(" \t\r\n\ufeff\u200b\u00a0")
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "\"'`":
        bare = bare[1:-1].strip()
    return bare


def _says_anything(text: str) -> bool:
    return any(map(str.isalnum, text))


# --- Lists


def no_entries(cell: str) -> bool:
    """Whether a whole list cell says that there is nothing to list.

    >>> no_entries("None"), no_entries("#N/A"), no_entries("NA"), no_entries("Na")
    (True, True, True, False)
    """
    bare = _bare(cell)
    return bare == "NA" or bare in _NOT_AVAILABLE or no_entry(bare)


def no_entry(entry: str) -> bool:
    """Whether an entry of a list is none: "None", "n/a", "-".

    >>> no_entry("n/a"), no_entry("-"), no_entry("Na"), no_entry("no aspirin")
    (True, True, False, False)
    """
    bare = _bare(entry)
    return bare in _MISSING or bare.casefold().rstrip(" .") in _NOTHING or not _says_anything(bare)


_SEMICOLON = re.compile(r"(?:&(#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*))?;")


def split_entries(cell: str) -> list[str]:
    """The entries of a cell separated by ``;``; one that ends an entity separates nothing.

    >>> split_entries("dose &lt;5 mg; taper"), split_entries("H&E;PAS")
    (['dose &lt;5 mg', 'taper'], ['H&E', 'PAS'])
    """
    parts, begin = [], 0
    for match in _SEMICOLON.finditer(cell):
        name = match[1] or ""
        if name[:1] != "#" and f"{name};" not in html5:
            parts.append(cell[begin : match.end() - 1])
            begin = match.end()
    return [part.strip() for part in (*parts, cell[begin:]) if part.strip()]


# --- Excel's escapes

_ESCAPE = re.compile(r"_x000[Dd]_(\n)|_x(00[01][0-9A-Fa-f]|005[Ff])_")


def unescaped(text: str) -> tuple[str, int]:
    r"""A text without Excel's escapes of control characters, and how many there were.

    Excel writes a carriage return as ``_x000D_``, and ``_x005F_`` for the underscore of a text
    that has such letters of its own.

    >>> unescaped("Rest._x000D_\nEat."), unescaped("_x005F_x000D_")
    (('Rest.\nEat.', 1), ('_x000D_', 1))
    """
    if "_x00" not in text:
        return text, 0
    return _ESCAPE.subn(lambda match: match[1] or chr(int(match[2], 16)), text)
