"""Live drafts: what a chat is shown of a message that is being written.

Source: https://core.telegram.org/api/bots/ai#live-response-streaming, and for how long they last
https://core.telegram.org/bots/api#sendmessagedraft.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.sandbox.tl import Objects

METHOD = "SendMessageTextDraftAction"
"""The action of `messages.SetTyping` that shows a draft. For faults it is a method of its own."""
LASTS = 30
"""Seconds."""
KEPT = 1000


@dataclass(frozen=True, slots=True)
class LiveDraft:
    """A text that `user_id` showed `peer_id` at `date`. One with the same `random_id` replaces it."""

    user_id: int
    peer_id: int
    random_id: int
    text: str
    entities: Objects | None
    date: int


@dataclass(slots=True)
class LiveDrafts:
    """The drafts that were shown, oldest first, and those that were not followed by a message yet."""

    seen: deque[LiveDraft] = field(default_factory=lambda: deque(maxlen=KEPT))
    _open: dict[tuple[int, int], LiveDraft] = field(default_factory=dict)

    def show(self, draft: LiveDraft) -> None:
        self.seen.append(draft)
        self._open[draft.user_id, draft.peer_id] = draft

    def end(self, user_id: int, peer_id: int) -> None:
        """Drop the draft that is shown in the chat: it gets a message."""
        self._open.pop((user_id, peer_id), None)

    def shown(self, user_id: int, peer_id: int, now: int) -> LiveDraft | None:
        """Return the draft that the chat shows now."""
        draft = self._open.get((user_id, peer_id))
        return draft if draft and now < draft.date + LASTS else None
