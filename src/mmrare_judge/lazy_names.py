"""A package that imports its public names when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(
    package: str, names_by_module: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: Its ``__name__``.
        names_by_module: For each of its modules the names that come from it, with spaces between.

    >>> get, names = lazy_names("mmrare_judge", {"data.items": "Item Reference"})
    >>> get("Item")
    <class 'mmrare_judge.data.items.Item'>
    """
    homes = {name: home for home, names in names_by_module.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *homes})

    return get, names
