"""The part of a history that concerns one account."""

from bisect import bisect_right
from collections import defaultdict

from tests.promises.disturbances import Disturbances
from tests.promises.history import History
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Break, Disturbance, Flood, Malformed, Refused, Spoilt
from tests.promises.lines.logged import LeftAlone, Skipped
from tests.promises.lines.messages import Asked, Erased, Sent
from tests.promises.lines.owners import Absent, Act, Draft, Stored
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record, Update
from tests.promises.logbook import logbook
from tests.promises.outcomes import outcomes, thoughts
from tests.promises.spoiling import Spoiling

NOTICED = 10.0
"""Seconds in which everybody has noticed that something is in order again."""


class OfAccount:
    def __init__(self, history: History, account: Account) -> None:
        name = account.account
        self.account, self.settings = account, history.settings
        self.asked = [one for one in history.of(Asked) if one.account == name]
        self.book = logbook(history, name)
        self.chronicle = Disturbances(list(history.of(Disturbance))).concerning(name)
        self.breaks = [one for one in history.of(Break) if one.account == name]
        self.left_alone = [one for one in history.of(LeftAlone) if one.account == name]
        self.skips = [one for one in history.of(Skipped) if one.account == name]
        self.erased = [one for one in history.of(Erased) if one.account == name]
        self.acts = [one for one in history.of(Act) if one.account == name]
        self.absences = [one for one in history.of(Absent) if one.account == name]
        self.stored = [one for one in history.of(Stored) if one.account == name]
        self.drafts = [one for one in history.of(Draft) if one.account == name]
        self.records = {one.chat: one for one in history.of(Record) if one.account == name}
        self.refused = sum(one.count for one in history.of(Refused) if one.account == name)
        self.malformed = {one.request_id for one in history.of(Malformed)}
        self.spoiling = Spoiling(history.of(Spoilt), self.chronicle)
        requests = (one.request_id for one in history.of(Acknowledged) if one.channel == REQUESTS)
        self.published = {request_id.rpartition(".")[0] for request_id in requests}
        self.longest_flood = max((one.seconds for one in history.of(Flood) if one.account in ("", name)), default=0.0)
        self.updates = history.of(Update)
        self._sent: dict[str, list[Sent]] = defaultdict(list)
        for one in sorted((one for one in history.of(Sent) if one.account == name), key=lambda one: one.id):
            self._sent[one.chat].append(one)
        self._outcomes: dict[str, list[Sent]] = {}

    def received(self, chat: str, since: int) -> list[Sent]:
        """What came into the chat after message `since`, oldest first."""
        sent = self._sent[chat]
        return sent[bisect_right(sent, since, key=lambda one: one.id) :]

    def outcomes(self, question: Asked) -> list[Sent]:
        if question.name not in self._outcomes:
            self._outcomes[question.name] = outcomes(question, self.received(question.chat, question.own_id))
        return self._outcomes[question.name]

    def is_forgotten(self, question: Asked) -> bool:
        """It may have been asked again, or what was known of it is gone with a store."""
        if any(broken.chat == question.chat and broken.afresh_at > question.asked_at for broken in self.breaks):
            return True
        return any(noted.ended > question.asked_at - NOTICED for noted in self.chronicle.of("emptied"))

    def thoughts(self, question: Asked) -> int:
        return thoughts(question, self.received(question.chat, question.own_id))
