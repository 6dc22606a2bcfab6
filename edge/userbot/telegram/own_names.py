"""The account's usernames, as Telegram has shown them last: a command may name whom it is for (`/help@name`)."""

from collections.abc import Iterable
from typing import Any

from pyrogram import Client, raw


class OwnNames:
    """Takes over a client that is not started yet. Until Telegram has said who the account is, it has no name.

    The sign-in shows the account, and so does whatever comes with a message of its own. A new name is told at once.
    """

    def __init__(self, client: Client) -> None:
        self._names: frozenset[str] = frozenset()
        self._account: int | None = None
        self._client = client
        client.fetch_peers = self._fetch_peers  # type: ignore[method-assign]

    def __call__(self) -> frozenset[str]:
        """Return the names that are in use, in lower case."""
        return self._names

    def hear(self, users: Iterable[Any]) -> None:
        """Take in people that Telegram shows."""
        for user in users:
            # One that is shown in part need not have all its names.
            if isinstance(user, raw.types.User) and user.is_self and not user.min:
                self._account = user.id
                self._names = _names(user.username, user.usernames)

    def hear_update(self, update: Any) -> None:
        """Take in an update, which may be about somebody's names."""
        if isinstance(update, raw.types.UpdateUserName) and update.user_id == self._account:
            self._names = _names(None, update.usernames)

    async def _fetch_peers(self, peers: Any) -> bool:
        """Stands in for `Client.fetch_peers`, which every result of a call goes through."""
        self.hear(peers)
        return await Client.fetch_peers(self._client, peers)


def _names(one: str | None, several: Iterable[Any] | None) -> frozenset[str]:
    active = [name.username for name in several or () if name.active]
    return frozenset(name.lower() for name in (one, *active) if name)
