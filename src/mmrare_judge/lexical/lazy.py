"""Attributes worked out when they are first asked for: `lazy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801  # used as a decorator, like property
    """A method whose value stays as an attribute, as `functools.cached_property` has it.

    That one takes a lock each time, which for some ten attributes of a text is a good part of the
    time level 2 spends on a short one. Two threads may both work a value out here; as the values
    depend on nothing but the object, nobody can tell.

    >>> class Text(str):
    ...     words = lazy(lambda text: text.split())
    >>> Text("give IVIG").words
    ['give', 'IVIG']
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> lazy[T] | T:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work(instance)
        return value
