"""What was worked out of an object, found again while that very object is used again."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
Value = TypeVar("Value")

_MOST = 256


class ByIdentity(Generic[P, Value]):
    """A function of objects that do not change, which remembers its last few hundred results.

    Objects are told apart by their identity: equal ones are worked on again, which is always
    right, and comparing or hashing an item would take longer than most of what is done with it.

    Args:
        work: The function; all its arguments are positional.
        most: Results that are kept; one more, and all are forgotten.

    >>> lengths = ByIdentity(len)
    >>> long = list(range(1000))
    >>> lengths(long), lengths(long)
    (1000, 1000)
    """

    def __init__(self, work: Callable[P, Value], *, most: int = _MOST) -> None:
        self._work = work
        self._most = most
        # With the objects themselves, so that none is taken for another at its place.
        self._known: dict[tuple[int, ...], tuple[tuple[object, ...], Value]] = {}

    def __call__(self, *things: P.args, **none: P.kwargs) -> Value:
        """The function's value.

        Raises:
            TypeError: An argument is given by its name.
        """
        if none:
            raise TypeError("arguments are positional")
        place = tuple(map(_where, things))
        known = self._known.get(place)
        if known is None or not all(map(is_, known[0], things)):
            if len(self._known) >= self._most:
                self._known.clear()
            known = self._known[place] = (things, self._work(*things, **none))
        return known[1]


_where = object.__hash__
"""Where an object is; as `id`, of which every audit hook is told, and filelock has one."""
