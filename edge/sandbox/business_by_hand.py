"""Business connections of people who have no client here: for tests and the demo."""

from collections.abc import Iterable

from edge.sandbox import connecting
from edge.sandbox.business import MESSAGE_RIGHTS, Recipients
from edge.sandbox.business_types import HAS_BUSINESS
from edge.sandbox.call import Call
from edge.sandbox.centres import MAIN
from edge.sandbox.connections import Connections
from edge.sandbox.faults import Faults
from edge.sandbox.message_box import BotChange
from edge.sandbox.state import SandboxState
from events.errors import SettingsError


class BusinessByHand:
    """The part of `Sandbox` that connects bots to accounts."""

    state: SandboxState
    faults: Faults
    _connections: Connections

    def connect_business(
        self,
        person_id: int,
        bot_id: int,
        *,
        can_reply: bool = True,
        chats: Iterable[int] | None = None,
        exclude: Iterable[int] = (),
        dc_id: int = MAIN,
    ) -> str:
        """Connect the bot for the chats with these users (None: all) but the excluded ones; return the connection's id.

        If it is connected already, it gets another connection. The person's account is in the data centre `dc_id`.

        Raises
        ------
        Refusal
            The bot is not for Business.
        SettingsError
            The installed client does not know Business connections.
        """
        if not HAS_BUSINESS:
            raise SettingsError("pyrogram knows no Business connections; install kurigram in its place")
        accounts = self.state.accounts
        self.state.business.data_centres[person_id] = dc_id
        connection, changes = connecting.connect(
            self.state,
            accounts[person_id],
            accounts[bot_id],
            rights=MESSAGE_RIGHTS if can_reply else MESSAGE_RIGHTS - {"reply"},
            recipients=_recipients(chats, exclude),
        )
        self._tell(changes)
        return connection.id

    def disconnect_business(self, person_id: int) -> None:
        """Disconnect the person's bot. Raises KeyError if there is none."""
        bot_id = self.state.business.connections[person_id].bot_id
        accounts = self.state.accounts
        self._tell(connecting.disconnect(self.state, accounts[person_id], accounts[bot_id]))

    def disable_business(self, person_id: int) -> None:
        """Disable the person's connection; it stays known. Raises KeyError if there is none."""
        self._tell(connecting.disable(self.state, self.state.accounts[person_id]))

    def qts(self, bot_id: int) -> int:
        return self.state.accounts[bot_id].box.qts

    def _tell(self, changes: list[BotChange]) -> None:
        call = Call(self.state, self.faults, auth_key_id=0)
        for change in changes:
            call.add_business_push(change)
        self._connections.deliver(call.pushes)


def _recipients(chats: Iterable[int] | None, exclude: Iterable[int]) -> Recipients:
    if chats is None:
        return Recipients(exclude_selected=True, users=frozenset(exclude))
    return Recipients(users=frozenset(chats), exclude_users=frozenset(exclude))
