"""The policy record: what holds for all chats of an account besides its settings, and its JSON."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.userbot.chat.record import NO_MESSAGE, Moment, UnreadableRecord, schema_of, with_schema

SCHEMA = 1
MAX_COUNTED = 256
"""The newest answers that are not counted again when their messages come again."""
MAX_ENTRIES = 1000
"""People in each list."""
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of a pause that only the owner ends."""
FLOOD_PAUSE = timedelta(hours=24)
"""Telegram's `PEER_FLOOD` names no time."""
BY_OWNER, BY_FLOOD, UNREADABLE = "owner", "flood", "unreadable"
"""Why there is a pause."""


class Policy(BaseModel):
    """`Policy()` is that of an account whose owner has decided nothing.

    `paused_since`, `paused_until`, `paused_by`: the pause of all chats, if there is one. `resumed_at`: when
    the owner last ended one. `owner_told`: the owner knows of a pause that they did not ask for. `allowed`, `denied`:
    entries of `People` added by commands; `decided`: for each of them the id of the command's message. `answers`:
    asked for on `day` in all chats, a date in the owner's time zone; `counted`: the newest of their requests.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    paused_since: Moment | None = None
    paused_until: Moment | None = None
    paused_by: str = ""
    resumed_at: Moment | None = None
    owner_told: bool = False
    allowed: Annotated[tuple[str, ...], Field(max_length=MAX_ENTRIES)] = ()
    denied: Annotated[tuple[str, ...], Field(max_length=MAX_ENTRIES)] = ()
    decided: Annotated[dict[str, int], Field(max_length=2 * MAX_ENTRIES)] = Field(default_factory=dict)
    day: str = ""
    answers: Annotated[int, Field(ge=0)] = 0
    counted: Annotated[tuple[str, ...], Field(max_length=MAX_COUNTED)] = ()

    def having(self, **changes: object) -> Self:
        """Return a copy with other values, without validating them."""
        return self.model_copy(update=changes)

    def to_json(self) -> bytes:
        return with_schema(self.model_dump_json(), SCHEMA)


UNDECIDED = Policy()
PAUSED_AS_UNREADABLE = Policy(paused_until=FOR_EVER, paused_by=UNREADABLE, owner_told=True)
"""Stands for a record that can't be read: there may have been a pause."""


def from_json(value: bytes) -> Policy:
    """Read what `to_json` writes. Raises UnreadableRecord."""
    number = schema_of(value, known=SCHEMA, what="the policy record")
    try:
        policy = Policy.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UnreadableRecord(f"the policy record can't be read ({first['type']})") from None
    if not number:
        raise UnreadableRecord("the policy record can't be read (it is not ours)")
    return policy


def pause(policy: Policy, since: datetime, until: datetime, now: datetime) -> Policy:
    """Pause all chats as the owner asked at `since`, not shortening another pause, unless they resumed later."""
    if _is_paused_for_longer(policy, since, until) or is_over(policy.resumed_at, since, now):
        return policy
    return policy.having(paused_since=since, paused_until=until, paused_by=BY_OWNER, owner_told=True)


def pause_for_flood(policy: Policy, now: datetime) -> Policy:
    """Pause all chats because Telegram considers the account a spammer, unless they are paused for that already."""
    if policy.paused_by == BY_FLOOD and is_paused(policy, now):
        return policy
    until = now + FLOOD_PAUSE
    if _is_paused_for_longer(policy, now, until):
        return policy
    return policy.having(paused_since=now, paused_until=until, paused_by=BY_FLOOD, owner_told=False)


def untold_flood(policy: Policy) -> datetime | None:
    """Return the end of a pause for a flood that the owner does not know of yet."""
    return policy.paused_until if policy.paused_by == BY_FLOOD and not policy.owner_told else None


def tell_owner(policy: Policy, until: datetime) -> Policy:
    """Record that the owner knows of the pause for a flood until `until`."""
    return policy.having(owner_told=True) if untold_flood(policy) == until else policy


def resume(policy: Policy, at: datetime) -> Policy:
    """End the pause of all chats, whatever it was for."""
    if policy.paused_until is None and policy.resumed_at == at:
        return policy
    return policy.having(paused_since=None, paused_until=None, paused_by="", resumed_at=at, owner_told=False)


def allow(policy: Policy, entry: str, by: int = NO_MESSAGE) -> Policy:
    """Answer `entry`, an entry of `People`, whatever the settings say.

    `by`: the message of the command, which changes nothing if a later one was carried out before it.
    """
    if is_overruled(policy, entry, by):
        return policy
    denied = tuple(other for other in policy.denied if other != entry)
    return _decided(policy.having(allowed=_with(policy.allowed, entry), denied=denied), entry, by)


def deny(policy: Policy, entry: str, by: int = NO_MESSAGE) -> Policy:
    """Do not answer `entry`, an entry of `People`, whatever the settings say. `by`: likewise."""
    if is_overruled(policy, entry, by):
        return policy
    allowed = tuple(other for other in policy.allowed if other != entry)
    return _decided(policy.having(denied=_with(policy.denied, entry), allowed=allowed), entry, by)


def is_overruled(policy: Policy, entry: str, by: int) -> bool:
    """Return whether a command later than the message `by` has decided about `entry`: they may be read in any order."""
    return policy.decided.get(entry, NO_MESSAGE) > by


def _decided(policy: Policy, entry: str, by: int) -> Policy:
    decided = policy.decided | ({entry: by} if by else {})
    return policy.having(decided={one: decided[one] for one in (*policy.allowed, *policy.denied) if one in decided})


def count_answer(policy: Policy, request_id: str, day: str, limit: int) -> Policy:
    """Count an answer of `day`, once for each request, unless the day has had `limit` answers."""
    if request_id in policy.counted or answers_of(policy, day) >= limit:
        return policy
    counted = (*policy.counted, request_id)[-MAX_COUNTED:]
    return policy.having(day=day, answers=answers_of(policy, day) + 1, counted=counted)


def answers_of(policy: Policy, day: str) -> int:
    """Return how many answers were asked for on `day`."""
    return policy.answers if policy.day == day else 0


def is_paused(policy: Policy, now: datetime) -> bool:
    """Return whether all chats are paused."""
    return is_within(policy.paused_since, policy.paused_until, now)


def is_within(since: datetime | None, until: datetime | None, now: datetime) -> bool:
    """Return whether `now` is in a pause. If the clock is set back, the pause lasts at most twice as long."""
    if until is None or now >= until:
        return False
    return since is None or since - now < until - since


def is_over(resumed_at: datetime | None, since: datetime, now: datetime) -> bool:
    """Return whether a pause that began at `since` was ended after that: orders may be read in another order."""
    return resumed_at is not None and since < resumed_at <= now


def _is_paused_for_longer(policy: Policy, now: datetime, until: datetime) -> bool:
    return is_paused(policy, now) and policy.paused_until is not None and policy.paused_until >= until


def _with(entries: tuple[str, ...], entry: str) -> tuple[str, ...]:
    return entries if entry in entries else (*entries, entry)[-MAX_ENTRIES:]
