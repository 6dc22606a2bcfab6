"""Test what the edge does in a chat: send, repeat, edit and delete a message, show typing and a draft."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from edge.business.check.assumptions import Assumption
from edge.business.check.report import Report
from edge.business.telegram.check_calls import Answer, functions, is_message, types
from edge.business.telegram.check_chat import CheckedChat, new_random_id
from edge.userbot.telegram.client_differences import build

ONE_MESSAGE = ["UpdateBotNewBusinessMessage"]


@dataclass(frozen=True, slots=True)
class Sending:
    """`me`: the bot's id. `settling`: how long to wait for an update that may not come."""

    chat: CheckedChat
    report: Report
    me: int
    settling: timedelta

    async def check(self, incoming: int) -> None:
        """Answer the message `incoming`, and delete the answer at the end."""
        before = len(self.chat.bot.updates)
        random_id = new_random_id()
        answer = await self.chat.write("a test, deleted at once", random_id=random_id, reply_to=incoming)
        if not self._is_as_expected(answer):
            return
        [update] = answer.updates
        sent = update.message
        self.report.judge(Assumption.OURS, sent.via_business_bot_id == self.me, f"{sent.via_business_bot_id}")
        replied = getattr(sent.reply_to, "reply_to_msg_id", None)
        self.report.judge(Assumption.REPLY, replied == incoming, f"a reply to {replied}")
        await self._echo(update, before)
        await self._repeat(sent, random_id, incoming)
        await self._change(sent.id)

    def _is_as_expected(self, answer: Answer) -> bool:
        centre = f"dc {self.chat.connection.dc_id}"
        self.report.judge(Assumption.DATA_CENTRE, not answer.refusal, answer.refusal or centre)
        kinds = [type(update).__name__ for update in answer.updates]
        self.report.judge(Assumption.RESULT_FORM, kinds == ONE_MESSAGE, answer.refusal or ", ".join(kinds))
        return kinds == ONE_MESSAGE

    async def _echo(self, result: Any, before: int) -> None:
        """Look whether the message also comes as an update. The edge can do with either."""

        def is_it(update: Any) -> bool:
            return is_message(update, result.message.message, out=True)

        await self.chat.bot.first(lambda _update: False, within=self.settling)
        came = [update for update in self.chat.bot.updates[before:] if is_it(update)]
        told = [(update.message.id, update.message.via_business_bot_id) for update in came]
        counted = f"qts {', '.join(str(update.qts) for update in came)}" if came else "none"
        seen = f"updates: {counted}; qts in the result: {result.qts}"
        self.report.judge(Assumption.ECHO, told in ([], [(result.message.id, self.me)]), seen)

    async def _repeat(self, sent: Any, random_id: int, incoming: int) -> None:
        answer = await self.chat.write("a test, deleted at once", random_id=random_id, reply_to=incoming)
        again = [update.message.id for update in answer.updates if hasattr(update, "message")]
        is_known = again == [sent.id] or answer.refusal == "RANDOM_ID_DUPLICATE"
        self.report.judge(Assumption.REPEAT, is_known, answer.refusal or f"message {again} after {sent.id}")
        if others := [id_ for id_ in again if id_ != sent.id]:
            await self.chat.call(functions.messages.DeleteMessages(id=others, revoke=True))

    async def _change(self, message_id: int) -> None:
        messages, peer, word = functions.messages, self.chat.peer, self.chat.word
        text = types.TextWithEntities(text=f"{word}: a draft", entities=[])
        draft = build(types.SendMessageTextDraftAction, random_id=new_random_id(), text=text)
        calls = {
            Assumption.EDIT: build(messages.EditMessage, peer=peer, id=message_id, message=f"{word}: edited"),
            Assumption.TYPING: messages.SetTyping(peer=peer, action=types.SendMessageTypingAction()),
            Assumption.DRAFT: messages.SetTyping(peer=peer, action=draft),
            Assumption.DELETE: messages.DeleteMessages(id=[message_id], revoke=True),
        }
        for assumption, query in calls.items():
            self.report.expect(assumption, "", (await self.chat.call(query)).refusal)
