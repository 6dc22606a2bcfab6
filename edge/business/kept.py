"""What is kept of a person's connection, and how what Telegram says of it changes that: pure functions."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.business.connection import Connection

MAX_PEERS = 1000
"""People whose access hash is kept for each person, the last that came: it is needed to answer them."""
MAX_EARLIER = 20
GRACE = timedelta(minutes=5)
"""From a connection's end until what is stored is erased, unless there is a new one."""
SHRUNK: dict[str, object] = {"erase_at": None, "told": (), "earlier": (), "ignored": (), "peers": {}}
"""What a person who was erased leaves out."""


class Kept(BaseModel):
    """A person's newest connection, and what we have done about it.

    `told`: reasons for silence of which the person knows. `left`: the person has told us by `/disconnect` to stop, and
    the same connection does not count any more; `left_at`: when they did, by Telegram's clock. `earlier`: the ids of
    connections before this one: a message that came through one may be fetched when Telegram knows it no more; those of
    `ignored` were left. `peers`: the access hashes of the people in the person's chats, which are not those that the
    bot has for its own chats with them. `erase_at`: from when on what is stored about the person is erased;
    `erased_at`: since when it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    connection_id: str
    dc_id: Annotated[int, Field(gt=0)]
    date: datetime
    is_enabled: bool = True
    may_reply: bool = True
    told: tuple[str, ...] = ()
    left: bool = False
    left_at: datetime | None = None
    earlier: tuple[str, ...] = ()
    peers: dict[str, int] = {}
    ignored: tuple[str, ...] = ()
    erase_at: datetime | None = None
    erased_at: datetime | None = None

    @property
    def is_erased(self) -> bool:
        """Return whether nothing else is stored about the person."""
        return self.erased_at is not None or self.is_closed

    @property
    def is_closed(self) -> bool:
        """Return whether all that is left is what tells to ignore the connection."""
        return self.left and self.erase_at is None and self.erased_at is None

    @property
    def answers(self) -> bool:
        """Return whether the person's chats are answered through it."""
        return self.is_enabled and not self.left

    def takes(self, connection_id: str) -> bool:
        """Return whether the person's chats are answered, those that came through this connection too."""
        return self.is_enabled and not self.ignores(connection_id)

    def ignores(self, connection_id: str) -> bool:
        """Return whether the person has told us to take nothing that comes through a connection."""
        return self.left or connection_id in self.ignored

    def is_served(self, now: datetime) -> bool:
        """Return whether anything may still be stored about the person. If not, that is or will be erased."""
        return not (self.left or self.is_erased or (self.erase_at and self.erase_at <= now))

    @property
    def may_send(self) -> bool:
        """Return whether Telegram takes messages through it."""
        return self.is_enabled and self.may_reply

    def is_same(self, other: "Kept | None") -> bool:
        """Return whether the connection is the same in both, whatever else is kept."""
        return other is not None and self == other.model_copy(update={"told": self.told, "peers": self.peers})


def describe(kept: Kept | None, connection: Connection, now: datetime) -> Kept:
    """Return what to keep after Telegram has described `connection`.

    Changed settings may come as the end of the old connection and a new one, so its end erases only after a while.
    """
    changed = Kept(
        connection_id=connection.id,
        dc_id=connection.dc_id,
        date=connection.date,
        is_enabled=connection.is_enabled,
        may_reply=connection.may_reply,
        erase_at=None if connection.is_enabled else now + GRACE,
    )
    if kept is None:
        return changed
    if kept.connection_id == connection.id:
        changed = changed.model_copy(update=_going_on(kept, changed))
        # A repeated description is no change: what the person knows of, they need not be told again.
        return kept if changed.is_same(kept) else changed
    if not follows(kept, connection):
        return kept
    if not comes_back(kept, connection):
        return changed.model_copy(update={**_going_on(kept, changed), **_following(kept)})
    return changed.model_copy(update=_following(kept))


def follows(kept: Kept, connection: Connection) -> bool:
    """Return whether `connection` comes after the kept one. A late word about an earlier one changes nothing."""
    is_newer = connection.date > kept.date or (connection.date == kept.date and connection.is_enabled)
    return kept.connection_id != connection.id and is_newer


def comes_back(kept: Kept, connection: Connection) -> bool:
    """Return whether a connection after the kept one counts: not if the person has left after making it.

    The bot may hear of it only then. Of one made in the same second they may have said so: in doubt it counts no more.
    """
    return not kept.left or kept.left_at is None or connection.date > kept.left_at


def _going_on(kept: Kept, changed: Kept) -> dict[str, object]:
    """Return what stays as it was in another word about the same connection."""
    stays: dict[str, object] = {"earlier": kept.earlier, "ignored": kept.ignored, "peers": kept.peers}
    if kept.left or (kept.erased_at and not changed.is_enabled):
        is_removed_at_last = kept.is_closed and not changed.is_enabled
        erase_at = changed.erase_at if is_removed_at_last else kept.erase_at
        return {**stays, "left": kept.left, "left_at": kept.left_at, "erase_at": erase_at, "erased_at": kept.erased_at}
    return {**stays, "erase_at": changed.erase_at and (kept.erase_at or changed.erase_at)}


def _following(kept: Kept) -> dict[str, object]:
    """Return what to know of the connections before a new one."""
    if kept.left:
        return {"ignored": (*kept.ignored, kept.connection_id)[-MAX_EARLIER:]}
    earlier = (*kept.earlier, kept.connection_id)[-MAX_EARLIER:]
    return {"earlier": earlier, "ignored": kept.ignored, "peers": kept.peers}


def leave(kept: Kept, since: datetime, erase_at: datetime) -> Kept:
    """Return what to keep after the person has told us, at `since`, to stop.

    Of a connection made in the same second they may have said so: in doubt it counts no more.
    """
    if kept.left or (kept.is_enabled and kept.date > since):
        return kept
    return kept.model_copy(update={"left": True, "left_at": since, "erase_at": erase_at})


def with_peer(peers: dict[str, int], user: str, access_hash: int) -> dict[str, int]:
    """Return `peers` with the access hash of one more, or another one."""
    others = {other: known for other, known in peers.items() if other != user}
    return dict(list({**others, user: access_hash}.items())[-MAX_PEERS:])
