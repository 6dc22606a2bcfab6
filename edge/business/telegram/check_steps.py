"""The steps of `timokha business --check`, in the order in which the person is asked to do something."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from edge.business.check.assumptions import Assumption, Task
from edge.business.check.report import Report
from edge.business.telegram.check_calls import (
    Answer,
    CheckedBot,
    functions,
    is_connection,
    is_message,
    is_press,
    is_written,
    types,
)
from edge.business.telegram.check_chat import CheckedChat, new_random_id, send_message
from edge.business.telegram.check_sending import Sending
from edge.userbot.telegram.client_differences import callback_buttons

NO_SUCH_ID = "timokha-check"
DATA = b"timokha-check"
INVALID = "BUSINESS_CONNECTION_INVALID"


@dataclass
class Check:
    """Tests each assumption once. It looks only at messages with `word`, and writes only where there was one.

    `ask` says what to do. `patience`: how long to wait for the person. `settling`: how long for what may not come.
    """

    bot: CheckedBot
    report: Report
    ask: Callable[[Task], None]
    word: str
    patience: timedelta
    settling: timedelta
    me: int = 0
    state: Any = None
    connection: Any = None

    async def run(self) -> None:
        """Go through the steps; what depends on one that is not done stays open."""
        if not await self._business_mode() or not await self._connect():
            return
        await self._ask_for_connection()
        partner = await self._from_person()
        if partner and (incoming := await self._to_person()):
            await Sending(self._chat(partner), self.report, self.me, self.settling).check(incoming)
        await self._button()
        if partner:
            await self._change(partner)
        await self._disconnect(partner)

    def _chat(self, partner: int) -> CheckedChat:
        return CheckedChat(self.bot, self.word, self.connection, partner)

    async def _business_mode(self) -> bool:
        found = await self.bot.call(functions.users.GetUsers(id=[types.InputUserSelf()]))
        [me] = found.result or [None]
        self.me = getattr(me, "id", 0)
        self.state = (await self.bot.call(functions.updates.GetState())).result
        is_set = bool(getattr(me, "bot_business", False))
        seen = "" if is_set else found.refusal or "no flag; turn Business Mode (Secretary Mode) on at @BotFather"
        self.report.judge(Assumption.BUSINESS_MODE, is_set, seen)
        return is_set and self.state is not None

    async def _connect(self) -> bool:
        self.ask(Task.CONNECT)
        update = await self.bot.first(
            lambda update: is_connection(update) and not update.connection.disabled, within=self.patience
        )
        if update is None:
            self.report.skip(Assumption.CONNECT_UPDATE, "no connection came")
            return False
        self.connection = found = update.connection
        may_reply = bool(found.rights and found.rights.reply)
        seen = f"dc {found.dc_id}, {'with' if may_reply else 'without'} the right to reply"
        self.report.judge(Assumption.CONNECT_UPDATE, bool(found.user_id and found.dc_id and may_reply), seen)
        return True

    async def _ask_for_connection(self) -> None:
        ask, own = functions.account.GetBotBusinessConnection, self.connection.connection_id
        answer = await self.bot.call(ask(connection_id=own))
        told = [update.connection.connection_id for update in answer.updates if is_connection(update)]
        is_same = told == [own]
        seen = "" if is_same else answer.refusal or f"{len(told)} connections"
        self.report.judge(Assumption.ASK_CONNECTION, is_same, seen)
        unknown = await self.bot.call(ask(connection_id=NO_SUCH_ID))
        self.report.expect(Assumption.UNKNOWN_CONNECTION, "CONNECTION_ID_INVALID", unknown.refusal)

    async def _from_person(self) -> int:
        """Learn which the second account is, 0 if nothing came; write to it before it has written."""
        update = await self._message(Task.WRITE, f"{self.word} 1", Assumption.FROM_PERSON, out=True)
        if update is None:
            return 0
        partner = int(update.message.peer_id.user_id)
        without = [who for who in (partner, self.connection.user_id) if not self.bot.has_hash(who)]
        self.report.judge(Assumption.HASHES, not without, f"none of {without}" if without else "")
        refusal = await self._chat(partner).refusal("too early")
        self.report.expect(Assumption.SILENT_CHAT, "BUSINESS_PEER_USAGE_MISSING", refusal)
        return partner

    async def _to_person(self) -> int:
        """Return the id of the second account's message, 0 if nothing came."""
        update = await self._message(Task.ANSWER, f"{self.word} 2", Assumption.TO_PERSON, out=False)
        if update is None:
            return 0
        counted, since = self.bot.counted, self.state.qts
        is_counted = counted == list(range(since + 1, since + 1 + len(counted)))
        self.report.judge(Assumption.COUNTED_BY_QTS, is_counted, f"{counted} after {since}")
        await self._difference(counted)
        return int(update.message.id)

    async def _message(self, task: Task, text: str, assumption: Assumption, *, out: bool) -> Any:
        self.ask(task)
        update = await self.bot.first(lambda update: is_message(update, text, out=out), within=self.patience)
        if update is None:
            self.report.skip(assumption, "no such message came")
        else:
            self.report.judge(assumption, True, "")
        return update

    async def _difference(self, counted: list[int]) -> None:
        since = self.state
        query = functions.updates.GetDifference(pts=since.pts, date=since.date, qts=since.qts)
        answer = await self.bot.call(query)
        again = [update.qts for update in getattr(answer.result, "other_updates", ()) if hasattr(update, "qts")]
        seen = answer.refusal or f"{type(answer.result).__name__} with qts {again}"
        self.report.judge(Assumption.DIFFERENCE, again[: len(counted)] == counted, seen)

    async def _button(self) -> None:
        """Send a button to the person; if they have to write first, ask for that."""
        answer = await self._send_button()
        before = answer.refusal
        if before:
            self.ask(Task.START)
            await self.bot.first(is_written, within=self.patience)
            answer = await self._send_button()
        self.report.judge(
            Assumption.TOLD, not answer.refusal, answer.refusal or f"before /start: {before or 'that too'}"
        )
        if not answer.refusal:
            await self._press()

    async def _send_button(self) -> Answer:
        peer, markup = self.bot.peer(self.connection.user_id), callback_buttons([("Test", DATA)])
        return await self.bot.call(send_message(peer, self.word, random_id=new_random_id(), markup=markup))

    async def _press(self) -> None:
        self.ask(Task.PRESS)
        press = await self.bot.first(
            lambda update: is_press(update) and update.data == DATA and update.user_id == self.connection.user_id,
            within=self.patience,
        )
        if press is None:
            self.report.skip(Assumption.BUTTON, "no press came")
            return
        await self.bot.call(functions.messages.SetBotCallbackAnswer(query_id=press.query_id, cache_time=0))
        self.report.judge(Assumption.BUTTON, True, "")

    async def _change(self, partner: int) -> None:
        """Let the person take the right to reply away, then exclude the chat."""
        former = self.connection.connection_id
        if not await self._changed(Task.TAKE_RIGHT):
            return
        is_new = self.connection.connection_id != former
        self.report.judge(Assumption.NEW_ID, is_new, "" if is_new else "it keeps its id")
        if is_new:
            old = await self._chat(partner).refusal("through the former connection", connection=former)
            self.report.expect(Assumption.OLD_ID, INVALID, old)
        refusal = await self._chat(partner).refusal("without the right")
        self.report.expect(Assumption.NO_RIGHT, "BOT_ACCESS_FORBIDDEN", refusal)
        if await self._changed(Task.EXCLUDE):
            refusal = await self._chat(partner).refusal("to an excluded chat")
            self.report.expect(Assumption.NOT_SELECTED, "BUSINESS_PEER_INVALID", refusal)

    async def _disconnect(self, partner: int) -> None:
        last = self.connection.connection_id
        if not await self._changed(Task.DISCONNECT):
            return
        is_disabled = bool(self.connection.disabled)
        self.report.judge(Assumption.DISABLED, is_disabled, "" if is_disabled else "a connection that is not disabled")
        if partner:
            refusal = await self._chat(partner).refusal("through a connection that is over", connection=last)
            self.report.expect(Assumption.GONE, INVALID, refusal)

    async def _changed(self, task: Task) -> bool:
        """Ask for a change, and take the last connection that comes: an app may save in two steps."""

        def is_theirs(update: Any) -> bool:
            return is_connection(update) and update.connection.user_id == self.connection.user_id

        before = len(self.bot.updates)
        self.ask(task)
        if await self.bot.first(is_theirs, after=before, within=self.patience) is None:
            return False
        await self.bot.first(lambda _update: False, within=self.settling)
        self.connection = [update for update in self.bot.updates if is_theirs(update)][-1].connection
        return True
