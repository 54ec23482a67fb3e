"""Progress of long operations: they report it here, and the command line shows it.

>>> with listening(lambda what, fraction: print(f"{what}: {fraction:.0%}")):
...     list(watched("abcd", "spelling"))
spelling: 0%
spelling: 25%
spelling: 50%
spelling: 75%
['a', 'b', 'c', 'd']
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str, float], None]  # gets what is being done, and the fraction that is done

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` called with all progress that is reported in this context."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(what: str, fraction: float) -> None:
    """Report what is being done, and the fraction of it that is done."""
    if listener := _listener.get():
        listener(what, fraction)


def watched(items: Iterable[T], what: str, total: float | None = None) -> Iterator[T]:
    """Yield the items and report the progress through them; a `total` is needed for those whose
    number is not known.
    """
    if total is None:
        assert isinstance(items, Collection)
        total = len(items)
    for number, item in enumerate(items):
        report(what, min(1.0, number / max(1, total)))
        yield item
