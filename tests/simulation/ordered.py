"""Sets that are iterated in the order of insertion, for clients that keep tasks and callbacks in sets."""

from collections.abc import Iterable, Iterator, MutableSet
from typing import Any
from weakref import WeakKeyDictionary


class OrderedSet(MutableSet[Any]):
    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items: Any = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        self._items[value] = None

    def discard(self, value: Any) -> None:
        self._items.pop(value, None)


class OrderedFrozenSet(OrderedSet):
    """Of another type, which is all that aio-pika asks of it."""


class OrderedWeakSet(OrderedSet):
    def __init__(self, items: Iterable[Any] = ()) -> None:
        super().__init__()
        self._items = WeakKeyDictionary()
        for item in items:
            self.add(item)
