"""Inject faults on demand. Methods are named as in `messages.SendMessage`; each fault that occurs lowers its count."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from edge.sandbox.rare_faults import RareFaults
from events.runtime.clock import Clock

Key = TypeVar("Key")
Pushed = TypeVar("Pushed")
Box = tuple[int, int | None]
"""A user, and one of its channels, or None for the user's own message box."""
SEND = "messages.SendMessage"
KEY_NOT_FOUND = 404
ID_TOO_LOW, ID_TOO_HIGH = 16, 17
MOST_BACK, MOST_AHEAD = 300, 30
"""Seconds that a client's message may be behind or ahead of the server's clock."""


class Refusal(Exception):
    """An RPC error: the client sees `code` and `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


@dataclass(slots=True)
class _Planned:
    user_id: int
    method: str
    code: int
    message: str
    times: float
    peer_id: int | None = None

    def concerns(self, user_id: int, method: str, peer_id: int | None) -> bool:
        concerned = (self.user_id, self.method) == (user_id, method) and self.peer_id in (None, peer_id)
        return concerned and self.times > 0


class Faults:
    """The faults to inject into one server.

    `short_updates`: new messages are pushed as UpdateShortMessage.
    `refuse_repeats`: a repeated random_id is answered with RANDOM_ID_DUPLICATE instead of the first message.
    `echo_business`: what a connected bot sends is counted by its qts and pushed to it, as the person's own messages
    are; False: only the result of its call tells, with the qts 0.
    `needs_hashes`: a connected bot must know the access hash of everyone it writes to; False: not of those who have
    had messages with the person, as TDLib assumes.
    `silent_chat`: the error for a connected bot that writes to a user who has not written for 24 hours,
    BUSINESS_PEER_USAGE_MISSING or BUSINESS_PEER_INVALID.
    `slice_size`: the most changes that one getDifference or getChannelDifference returns.
    `longest_difference`: of more changes than that getChannelDifference says that they are too many.
    `names_channels`: getDifference tells of each supergroup and channel with new messages that too much has changed
    there, which clients report; False: it does not, and clients have to ask for each by themselves.
    `unknown_reply`: the error for a reply to a message that does not exist, REPLY_MESSAGE_ID_INVALID or
    REPLY_TO_INVALID; None: the message is sent without the reply.
    `reaction_updates`: a reaction is told by an updateMessageReactions, which is not counted; `reaction_edits`: by an
    edit of the message in its writer's box or the channel's, which is counted. Telegram documents neither which nor to
    whom, and clients report both.
    `packs`: everything is sent compressed and in a container, with an acknowledgement, as Telegram often does.
    `checks_clock`: a message dated over 300 s back or 30 s ahead is refused by a bad_msg_notification, as Telegram
    does; False: it is accepted.
    `on_struck`: called with the user and `answer_lost` or `bad_messages` when such a fault occurs.
    `bot_patience`: seconds until a press of a button fails with BOT_RESPONSE_TIMEOUT.
    `rare`: more of them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rare = RareFaults()
        self.on_struck: Callable[[int, str], object] = lambda _user_id, _what: None
        self.unknown_reply: str | None = "REPLY_MESSAGE_ID_INVALID"
        self.checks_clock = True
        self.bot_patience = 10.0
        self.packs = False
        self.reaction_updates = True
        self.reaction_edits = True
        self._centres: list[int] = []
        self.short_updates = False
        self.echo_business = True
        self.needs_hashes = False
        self.silent_chat = "BUSINESS_PEER_USAGE_MISSING"
        self.refuse_repeats = False
        self.slice_size = 100
        self.longest_difference = 100_000
        self.names_channels = False
        self._planned: list[_Planned] = []
        self._floods: dict[tuple[int, str], float] = {}
        self._lost: Counter[tuple[int, str]] = Counter()
        self._swallowed: Counter[Box] = Counter()
        self._repeated: Counter[Box] = Counter()
        self._delayed: Counter[Box] = Counter()
        self._held: dict[Box, list[Any]] = {}
        self._too_long: dict[Box, int | None] = {}
        self._stuck: Counter[Box] = Counter()
        self._bad: list[_Planned] = []
        self._transport: dict[int, tuple[int, float]] = {}

    def refuse(
        self,
        user_id: int,
        code: int,
        message: str,
        *,
        method: str = SEND,
        times: int | None = 1,
        peer_id: int | None = None,
    ) -> None:
        """Answer the user's next `times` calls of `method` (None: all) with an error.

        `peer_id`: only those about this user or group. For example 400 PEER_FLOOD, or 403 USER_PRIVACY_RESTRICTED.
        """
        left = math.inf if times is None else times
        self._planned.append(_Planned(user_id, method, code, message, left, peer_id))

    def refuses(self, user_id: int, *messages: str) -> bool:
        """Return whether one of these errors still waits for a call of the user's."""
        return any(plan.user_id == user_id and plan.message in messages and plan.times > 0 for plan in self._planned)

    def stop_refusing(self, user_id: int) -> None:
        """Forget the refusals that are planned for the user."""
        self._planned = [plan for plan in self._planned if plan.user_id != user_id]

    def flood_wait(self, user_id: int, seconds: int, *, method: str = SEND, times: int | None = None) -> None:
        """Answer FLOOD_WAIT with the seconds left, for the next `seconds`, or, with `times`, for that many calls."""
        if times is None:
            self._floods[user_id, method] = self._clock.monotonic() + seconds
        else:
            self.refuse(user_id, 420, f"FLOOD_WAIT_{seconds}", method=method, times=times)

    def move_sign_in(self, centre: int) -> None:
        """Redirect the next client that signs in to another data centre, which has its account."""
        self._centres.append(centre)

    def lose_answers(self, user_id: int, *, method: str = SEND, times: int = 1) -> None:
        """Carry out the next `times` calls, but cut the connection before their results are sent."""
        self._lost[user_id, method] += times

    def suppress_pushes(self, user_id: int, times: int = 1, *, channel_id: int | None = None) -> None:
        """Do not push the next `times` changes to the user's sessions, which leaves a gap in their pts.

        `channel_id`: changes of this channel, and not those of the user's own box.
        """
        self._swallowed[user_id, channel_id] += times

    def repeat_pushes(self, user_id: int, times: int = 1, *, channel_id: int | None = None) -> None:
        """Push each of the next `times` changes twice."""
        self._repeated[user_id, channel_id] += times

    def delay_pushes(self, user_id: int, times: int = 1, *, channel_id: int | None = None) -> None:
        """Push the next `times` changes after the one that follows them, the last of them first."""
        self._delayed[user_id, channel_id] += times

    def difference_too_long(self, user_id: int, pts: int | None = None, *, channel_id: int | None = None) -> None:
        """Answer the user's next getDifference with differenceTooLong and `pts` to continue from (None: the newest).

        `channel_id`: the next getChannelDifference of this channel.
        """
        self._too_long[user_id, channel_id] = pts

    def stuck_slices(self, user_id: int, times: int = 1, *, channel_id: int | None = None) -> None:
        """Answer the user's next `times` getDifferences with an empty slice that does not advance the state.

        `channel_id`: the next getChannelDifferences of this channel.
        """
        self._stuck[user_id, channel_id] += times

    def notify_bad_message(self, user_id: int, code: int, *, method: str = SEND, times: int = 1) -> None:
        """Ignore the next `times` calls and answer with a bad_msg_notification. `method` may also be `Ping`.

        Codes 16 and 17 blame the client's clock, 32 and 33 its sequence number.
        """
        self._bad.append(_Planned(user_id, method, code, "", times))

    def transport_error(self, user_id: int, code: int = KEY_NOT_FOUND, times: int | None = None) -> None:
        """Answer the user's next `times` packets (None: all) with a transport error, and close the connection.

        404: unknown key; 429: too many connections; 444: no such data centre.
        """
        self._transport[user_id] = (code, math.inf if times is None else times)

    def raise_planned(self, user_id: int | None, method: str, peer_id: int | None = None) -> None:
        """Raise the Refusal planned for this call, if there is one. `peer_id`: whom the call is about."""
        if user_id is None:
            return
        left = self._floods.get((user_id, method), 0.0) - self._clock.monotonic()
        if left > 0:
            raise Refusal(420, f"FLOOD_WAIT_{math.ceil(left)}")
        for plan in self._planned:
            if plan.concerns(user_id, method, peer_id):
                plan.times -= 1
                raise Refusal(plan.code, plan.message)

    def raise_migration(self, kind: str) -> None:
        """Raise the Refusal that redirects a client that signs in, if one is planned. `kind` is PHONE or USER."""
        if self._centres:
            raise Refusal(303, f"{kind}_MIGRATE_{self._centres.pop(0)}")

    def loses_answer(self, user_id: int | None, method: str) -> bool:
        if user_id is None or not _take(self._lost, (user_id, method)):
            return False
        self.on_struck(user_id, "answer_lost")
        return True

    def disturbed(self, push: Pushed, counted: bool, box: Box) -> list[Pushed]:
        """Return what to push now in place of a change of this box: nothing, it, or it with others."""
        if not counted:
            return [push]
        if _take(self._swallowed, box):
            return []
        due = [push, push] if _take(self._repeated, box) else [push]
        if _take(self._delayed, box):
            self._held.setdefault(box, []).extend(due)
            return []
        return [*due, *reversed(self._held.pop(box, []))]

    def too_long(self, user_id: int, newest: int, channel_id: int | None = None) -> int | None:
        """Return the pts of a planned differenceTooLong, None if there is none."""
        if (user_id, channel_id) not in self._too_long:
            return None
        pts = self._too_long.pop((user_id, channel_id))
        return newest if pts is None else pts

    def is_stuck(self, user_id: int, channel_id: int | None = None) -> bool:
        return _take(self._stuck, (user_id, channel_id))

    def bad_message(self, user_id: int | None, method: str, message_id: int) -> int:
        """Return the code of the notification that answers the message, 0 if none."""
        for plan in self._bad:
            if user_id is not None and plan.concerns(user_id, method, None):
                plan.times -= 1
                self.on_struck(user_id, "bad_messages")
                return plan.code
        ahead = message_id / 2**32 - self._clock.now().timestamp()
        if not self.checks_clock or -MOST_BACK <= ahead <= MOST_AHEAD:
            return 0
        return ID_TOO_HIGH if ahead > 0 else ID_TOO_LOW

    def transport_error_of(self, user_id: int | None) -> int:
        """Return the transport error that answers the user's packet, 0 if none."""
        code, times = self._transport.get(user_id or 0, (0, 0))
        if times <= 0:
            return 0
        self._transport[user_id or 0] = (code, times - 1)
        return code


def _take(counter: Counter[Key], key: Key) -> bool:
    if counter[key] <= 0:
        return False
    counter[key] -= 1
    return True
