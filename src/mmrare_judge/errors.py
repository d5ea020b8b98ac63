"""Every exception this package raises.

::

    MMRareJudgeError
    ├── InputError          an item, a prediction or a table that cannot be read
    ├── RubricError         a rubric that is wrong, or that the item cannot serve
    ├── ConfigError         a judge, a model name, a key or a setting that cannot work
    ├── OutputError         a result that cannot be written
    ├── CacheMissError      a replay that needs a reply its cache does not hold
    ├── BudgetError         the budget of a run is used up
    ├── NoScoreError        a score was required of a grade that has none
    ├── MissingExtraError   an optional dependency that is not installed
    └── BackendError        the model could not be asked, or its reply could not be used
        ├── RequestRefusedError the endpoint refuses this one request, and takes others
        ├── TransportError      rate limit, server error, timeout, connection reset
        └── ReplyError          the reply cannot be graded; the raw reply is kept
            ├── FormatError         it does not match the schema
            ├── RefusalError        the model declined
            ├── ContentFilterError  the provider withheld the reply
            └── TruncatedError      the reply ran into its token limit

A ``BackendError`` that is left after all retries becomes the reason of an unscored grade, never a
number. All others are raised: the caller can mend what they name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MMRareJudgeError(Exception):
    """Root of every exception this package raises on purpose."""


class InputError(MMRareJudgeError):
    """An item, a prediction or a table that cannot be read.

    Args:
        problem: What is wrong, with the value.
        remedy: What to do about it.
        file: The file it was found in.
        row: The row, counted as a text editor counts lines or a table counts records.
        field: The column or key.
    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str = "",
        file: str | None = None,
        row: int | None = None,
        field: str | None = None,
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.row = row
        self.field = field
        super().__init__(_sentence(problem, remedy, file, row, field))


class RubricError(MMRareJudgeError):
    """A rubric that is wrong, or that the item at hand cannot serve.

    Args:
        problem: What is wrong, with the value.
        remedy: What to do about it.
        file: The rubric file.
        line: The line in it, from 1.
    """

    def __init__(
        self, problem: str, *, remedy: str = "", file: str | None = None, line: int | None = None
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.line = line
        super().__init__(_sentence(problem, remedy, file, line, None, unit="line"))


class ConfigError(MMRareJudgeError):
    """A judge, a model name, a key or a setting that cannot work."""


class OutputError(MMRareJudgeError):
    """A result that cannot be written."""


class CacheMissError(MMRareJudgeError):
    """A replay needs a reply that its cache does not hold.

    Args:
        problem: What is missing, and a likely reason.
        request_hash: Hash of the request whose reply is missing.
        model: The model that would have been asked.
        item_id: The item that was to be graded.
    """

    def __init__(
        self, problem: str, *, request_hash: str, model: str = "", item_id: str = ""
    ) -> None:
        self.request_hash = request_hash
        self.model = model
        self.item_id = item_id
        super().__init__(problem)


class BudgetError(MMRareJudgeError):
    """The budget of a run is used up, or the price is not known."""


class NoScoreError(MMRareJudgeError):
    """A score was required of a grade that has none; the message says why it has none."""


class MissingExtraError(MMRareJudgeError, ImportError):
    """An optional dependency that is not installed.

    Args:
        package: The package that is missing.
        extra: The extra of this package that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{package} is not installed; install it with: pip install 'mmrare-judge[{extra}]' "
            f"(in a clone: pip install '.[{extra}]')"
        )


@contextmanager
def from_extra(extra: str) -> Iterator[None]:
    """Import what an optional extra of this package brings.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingExtraError(_DISTRIBUTIONS.get(package, package), extra) from error


_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Packages that are imported under another name than they are installed by."""


class BackendError(MMRareJudgeError):
    """The judge's model could not be asked, or its reply could not be used."""


class TransportError(BackendError):
    """The request failed on its way: rate limit, server error, timeout, connection reset.

    Args:
        message: What happened.
        kind: ``rate_limit``, ``server_error``, ``timeout`` or ``connection``.
        retry_after: Seconds that the provider asked to wait, if it did.
        address: The address that did not answer, where the connection failed.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "connection",
        retry_after: float | None = None,
        address: str | None = None,
    ) -> None:
        self.kind = kind
        self.retry_after = retry_after
        self.address = address
        super().__init__(message)


class RequestRefusedError(BackendError):
    """The endpoint refuses this one request, for a reason in the item, and takes others."""


class ReplyError(BackendError):
    """The reply cannot be graded; ``raw`` keeps it as it was received."""

    def __init__(self, message: str, *, raw: str = "") -> None:
        self.raw = raw
        super().__init__(message)


class FormatError(ReplyError):
    """The reply does not match the schema."""


class RefusalError(ReplyError):
    """The model declined to grade."""


class ContentFilterError(ReplyError):
    """The provider withheld the reply."""


class TruncatedError(ReplyError):
    """The reply ran into its token limit."""


def _sentence(
    problem: str,
    remedy: str,
    file: str | None,
    row: int | None,
    field: str | None,
    *,
    unit: str = "row",
) -> str:
    place = [file] if file else []
    if row is not None:
        place.append(f"{unit} {row}")
    if field:
        place.append(f"field {field!r}")
    head = f"{', '.join(place)}: {problem}" if place else problem
    return f"{head}. {remedy}" if remedy else head
