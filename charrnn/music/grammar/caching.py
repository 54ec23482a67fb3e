"""Methods that remember what they returned, for functions of recurring values."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Concatenate, Generic, ParamSpec, TypeVar, cast

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")

RESULTS = 1 << 16  # that a method remembers: some 20 MB


class cached_method(Generic[S, P, R]):  # noqa: N801 - a decorator, as functools.cached_property
    """Give each instance a cache of this method's last RESULTS results, as old as the instance.

    The arguments must be hashable. After the first use, calls go straight to the cache.

    >>> class Squares:
    ...     @cached_method
    ...     def of(self, number):
    ...         print("computed")
    ...         return number * number
    >>> squares = Squares()
    >>> squares.of(3), squares.of(3)
    computed
    (9, 9)
    """

    def __init__(self, method: Callable[Concatenate[S, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: S, owner: type) -> Callable[P, R]:
        bound = cast("Callable[P, R]", lru_cache(RESULTS)(self._method.__get__(instance)))
        instance.__dict__[self._name] = bound  # found before this descriptor from now on
        return bound
