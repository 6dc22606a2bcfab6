"""The text so far of an answer whose asker wants to see it written."""

from collections.abc import Awaitable, Callable

from events.schema import GenerationProgressed
from functions.generate.decoding.repetition import Earlier

Tell = Callable[[GenerationProgressed], Awaitable[None]]


class LiveText:
    """Tells every new text once, in order, from the first on that can't become a repetition: that would be drawn again.

    It is `functions.generate.engine.OnProgress`.
    """

    def __init__(self, request_id: str, tell: Tell, earlier: Earlier) -> None:
        self._request_id = request_id
        self._tell = tell
        self._earlier = earlier
        self._last, self._sequence = "", 0

    @property
    def is_shown(self) -> bool:
        """Whether any of it was told."""
        return self._sequence > 0

    async def __call__(self, text: str) -> None:
        if not text or text == self._last or (not self.is_shown and self._earlier.may_have(text)):
            return
        self._last, self._sequence = text, self._sequence + 1
        await self._tell(GenerationProgressed(request_id=self._request_id, text=text, sequence=self._sequence))
