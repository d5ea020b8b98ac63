"""A package whose names are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType


def homes(names_by_module: Mapping[str, str]) -> dict[str, str]:
    """For each name the module it comes from.

    >>> homes({"item": "Item Reference"})
    {'Item': 'item', 'Reference': 'item'}
    """
    return {name: home for home, names in names_by_module.items() for name in names.split()}


class _Package(ModuleType):
    _homes: Mapping[str, str]

    def __getattr__(self, name: str) -> object:
        if name not in self._homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{self.__name__}.{self._homes[name]}"), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # Importing a module sets it as an attribute of its package. Functions such as `grade` and
        # `verify` are called like the modules they come from, and it is they who are meant.
        if name not in self._homes or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._homes})


def find_when_asked(package: str, homes: Mapping[str, str]) -> None:
    """Let a package find names in its modules as they are asked for.

    Args:
        package: Its ``__name__``.
        homes: For each name the module it comes from.
    """
    module = sys.modules[package]
    module.__class__ = _Package
    module.__dict__["_homes"] = homes
