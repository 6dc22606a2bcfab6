"""Die before or after a chosen effect on the world."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fuse:
    """Stops everything at the `at`th effect, before it happens or right `after`."""

    at: int
    after: bool
    journal: list[str] = field(default_factory=list)
    blown: asyncio.Event = field(default_factory=asyncio.Event)

    async def around(self, name: str, act: Callable[[], Awaitable[Any]]) -> Any:
        if self.blown.is_set():
            await asyncio.Event().wait()
        self.journal.append(name)
        mine = len(self.journal) == self.at
        if mine and not self.after:
            await self._blow()
        try:
            result = await act()
        except Exception:
            if mine:
                await self._blow()
            raise
        if mine:
            await self._blow()
        return result

    async def _blow(self) -> None:
        self.blown.set()
        await asyncio.Event().wait()


class Fused:
    """Whatever `inner` does under one of `names` goes through the fuse."""

    def __init__(self, inner: Any, fuse: Fuse, *names: str) -> None:
        self._inner, self._fuse, self._names = inner, fuse, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        async def fused(*args: Any, **kwargs: Any) -> Any:
            return await self._fuse.around(f"{type(self._inner).__name__}.{name}", lambda: found(*args, **kwargs))

        return fused
