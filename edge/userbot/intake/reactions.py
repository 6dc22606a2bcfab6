"""Take readers' votes on answers: publish them, without who the readers are."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from edge.userbot.chat.admission import is_allowed
from edge.userbot.chat.answers import answer_shown_by
from edge.userbot.chat.incoming import Reaction
from edge.userbot.chat.record import Answered, ChatRecord
from edge.userbot.driving.performer import SOURCE
from edge.userbot.driving.ports import Ports
from edge.userbot.error_lines import describe_error
from edge.userbot.intake.lookups import Lookups
from edge.userbot.intake.storing import store_with_retries
from edge.userbot.people import Person
from edge.userbot.rules import Rules
from events.event import Event
from events.faults import UNKNOWN_ATTEMPTS
from events.recordings.pseudonyms import pseudonym
from events.schema import FeedbackGiven
from events.transport import Channel
from observability import propagation

log = structlog.get_logger(__name__)


class ReactionIntake:
    """Publish each vote: `receive` returns once that is done, or can't be done for good.

    `rules`: the owner's, as they are now. `key`: of the readers' pseudonyms. `wake`: have a chat's record looked at.
    """

    def __init__(self, ports: Ports, wake: Callable[[str], None], rules: Callable[[], Rules], *, key: bytes) -> None:
        self._ports = ports
        self._owner_rules = rules
        self._lookups = Lookups(ports, wake)
        self._key = key

    async def receive(self, reaction: Reaction) -> None:
        if not self._owner_rules().feedback or self._is_owner(reaction.reader):
            return
        try:
            await store_with_retries(
                partial(self._take, reaction), reaction, self._ports.retrying, attempts=UNKNOWN_ATTEMPTS
            )
        except Exception as error:  # noqa: BLE001 - one bad reaction or record must not hold up the others
            log.error("feedback.dropped", chat=reaction.chat, message=reaction.message_id, error=describe_error(error))

    def _is_owner(self, reader: Person) -> bool:
        return reader.id in (self._ports.account, self._ports.owner_chat)

    async def _take(self, reaction: Reaction) -> None:
        record = await self._ports.chats.load(reaction.chat)
        answered = answer_shown_by(record, reaction.message_id)
        if answered and await self._counts(reaction, record):
            await self._publish(reaction, answered)

    async def _counts(self, reaction: Reaction, record: ChatRecord) -> bool:
        """Return whether the owner wants this reader answered."""
        rules, reader = await self._lookups.with_policy(self._owner_rules()), reaction.reader
        if record.wrote_first is not None:
            reader = replace(reader, wrote_first=record.wrote_first)
        return is_allowed(reader, reaction.chat, rules)

    async def _publish(self, reaction: Reaction, answered: Answered) -> None:
        ports, reader = self._ports, f"{reaction.account}.{reaction.chat}.{reaction.reader.id}"
        data = FeedbackGiven(request_id=answered.request_id, reader=pseudonym(self._key, reader), vote=reaction.vote)
        event = Event.of(data, source=SOURCE, time=ports.retrying.clock.now())
        with propagation.resume(answered.trace), ports.telemetry.spans.send(Channel.FEEDBACK, event) as traced:
            await ports.log.publish(Channel.FEEDBACK, traced)
        log.info("feedback.received", request_id=answered.request_id, vote=reaction.vote)
