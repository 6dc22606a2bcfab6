"""What answers the questions to one account, once its owner's connection to Telegram is made."""

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from edge.userbot.chat.incoming import Change, Deleted, Edited, Incoming, OwnMessage, Reactions
from edge.userbot.chat.transitions import Effect
from edge.userbot.current_rules import CurrentRules
from edge.userbot.driving.drivers import Drivers, Hints
from edge.userbot.driving.messenger import Messenger
from edge.userbot.driving.ports import Departure, Ports
from edge.userbot.driving.replies import Replies
from edge.userbot.driving.resuming import never
from edge.userbot.intake.intake import Intake
from edge.userbot.intake.own_intake import OwnIntake
from edge.userbot.intake.reactions import ReactionIntake
from edge.userbot.memory import NO_MEMORY, Memory
from edge.userbot.settings import UserbotSettings
from edge.userbot.storage.chats import open_chats
from events import subjects
from events.jetstream.connection import JetStream
from events.jetstream.core_nats import listen_for_progress, listen_for_wakes
from events.jetstream.damage import lack_messages
from events.jetstream.log import JetStreamLog
from events.jetstream.subscription import JetStreamSubscription
from events.runtime.retrying import Retrying
from events.runtime.tasks import run_all
from events.transport import Channel
from observability.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class EdgeContext:
    """What the edges of all accounts of a process share. `clock_offset`: how far its clock is ahead of Telegram's."""

    js: JetStream
    settings: UserbotSettings
    rules: CurrentRules
    telemetry: Telemetry
    retrying: Retrying
    clock_offset: Callable[[], timedelta]


@dataclass(frozen=True, slots=True)
class AccountEdge:
    """The parts of the edge that know one account only. Telegram's updates come from elsewhere, by `receive`."""

    js: JetStream
    ports: Ports
    drivers: Drivers
    intake: Intake
    own_intake: OwnIntake
    reaction_intake: ReactionIntake
    replies: Replies

    @classmethod
    async def open(
        cls,
        context: EdgeContext,
        account: str,
        messenger: Messenger,
        *,
        owner_chat: str | None,
        by_bot: bool,
        names: Callable[[], Set[str]] = frozenset,
        departure: Departure | None = None,
        memory: Memory = NO_MEMORY,
    ) -> Self:
        """Open an account's records and its consumer, which must exist. Raises TransportError.

        `names`: the usernames by which commands address it. `departure`: if its owner may leave. `memory`: its
        owner's earlier exchanges.
        """
        settings, retrying = context.settings, context.retrying
        ports = Ports(
            account=account,
            chats=await open_chats(context.js, account, retrying=retrying),
            log=JetStreamLog(context.js),
            messenger=messenger,
            sampling=settings.sampling,
            deadline=settings.deadline,
            telemetry=context.telemetry,
            retrying=retrying,
            formatted=settings.formatting == "markdown",
            rules=context.rules,
            owner_chat=owner_chat,
            by_bot=by_bot,
            departure=departure,
            memory=memory,
        )
        drivers = Drivers(ports)
        intake = Intake(ports, drivers, context.rules, names=names, clock_offset=context.clock_offset)
        own_intake = OwnIntake(ports, drivers, context.rules, names=names, clock_offset=context.clock_offset)
        key = settings.api_hash.get_secret_value().encode()
        reaction_intake = ReactionIntake(ports, drivers.wake, context.rules, key=key)
        subscription = await JetStreamSubscription.bind(
            context.js, Channel.REPLIES, subjects.edge_consumer(account), random=retrying.random
        )
        replies = Replies(ports, drivers, subscription)
        return cls(context.js, ports, drivers, intake, own_intake, reaction_intake, replies)

    async def receive(self, change: Change) -> None:
        """Store what it changes. Return once that is done, or can't be done for good."""
        match change:
            case Incoming():
                if await self.own_intake.receive_from_owner(change) is Effect.SILENT:
                    await self.intake.receive(change)
            case OwnMessage():
                await self.own_intake.receive(change)
            case Edited():
                await self.intake.receive_edit(change)
            case Deleted():
                await self.intake.receive_deletion_from_bursts(change)
            case Reactions():
                for reaction in change.of_readers:
                    await self.reaction_intake.receive(reaction)

    async def resume(self, *, outdated: Callable[[], Awaitable[bool]] = never) -> None:
        """Resume every unfinished chat, without a step in any until `release`. Raises TransportError.

        `outdated`: whether the last process may have left unfinished chats that are not in the index. A damaged store
        may have lost some, too.
        """
        # The owner may have answered by hand meanwhile.
        self.drivers.hold()

        async def may_lack_some() -> bool:
            return await outdated() or await self.store_lacks_some()

        await self.drivers.resume(outdated=may_lack_some)

    async def store_lacks_some(self) -> bool:
        """Return whether NATS has dropped messages of the records or the index. Raises TransportError."""
        return await lack_messages(self.js, subjects.CHATS_BUCKET, subjects.MARKS_BUCKET)

    def release(self) -> None:
        """Begin the work: messages from before the start are taken in."""
        self.drivers.release()

    async def run(self) -> None:
        """Take in replies and hints until cancelled. Raises the first error of any part."""
        account = self.ports.account
        async with (
            listen_for_wakes(self.js, account, Hints(self.drivers.wake).receive),
            listen_for_progress(self.js, account, self.drivers.take_progress),
        ):
            await run_all(self.replies.run(), self.drivers.keep_index_complete())

    def on_store_recreated(self) -> None:
        """Restore what NATS has lost."""
        self.drivers.on_store_recreated()

    async def stop(self) -> None:
        """Leave unfinished work to the next start."""
        await self.drivers.stop()
