"""What a whole history says: a verdict for each account, and which promises were broken."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.promises.deletions import after_deletions
from tests.promises.endings import late_endings
from tests.promises.events import unaccounted
from tests.promises.feedback import votes_lost
from tests.promises.history import History
from tests.promises.judge import Judge
from tests.promises.leaks import leaked
from tests.promises.linearizable import not_linearizable
from tests.promises.lines.accounts import Account
from tests.promises.lines.messages import Asked
from tests.promises.lines.stored import NoRecords
from tests.promises.of_account import OfAccount
from tests.promises.order import out_of_order
from tests.promises.programs import unkept
from tests.promises.remarks import heard
from tests.promises.verdict import Verdict
from tests.promises.waits import too_long


@dataclass
class Judgement:
    """`kinds`: what became of each question. `answers`: to messages without the prefix, by their kind."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    kinds: list[tuple[Asked, str]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """One line for each breach of a promise."""

    def counts(self) -> dict[str, int]:
        """Of all accounts together."""
        names = Verdict().counts()
        return {name: sum(verdict.counts()[name] for verdict in self.verdicts.values()) for name in names}


def judge(history: History) -> Judgement:
    judgement = Judgement()
    for account in history.of(Account):
        _judge_account(OfAccount(history, account), judgement, history)
    judgement.faults += [f"no records: {one.error}" for one in history.of(NoRecords)]
    for promise in (leaked, heard, late_endings, unaccounted, not_linearizable, unkept):
        judgement.faults += promise(history)
    return judgement


def _judge_account(part: OfAccount, judgement: Judgement, history: History) -> None:
    judge_ = Judge(part)
    verdict = judge_.judge()
    verdict.faults += [f"{part.account.account}: {wrong}" for wrong in _broken(part, judge_)]
    verdict.faults += [f"{part.account.account}: {wrong}" for wrong in votes_lost(history, part)]
    judgement.verdicts[part.account.account] = verdict
    judgement.kinds += judge_.kinds
    judgement.answers.update(judge_.pieces.counts())
    judgement.faults += verdict.faults


def _broken(part: OfAccount, judge_: Judge) -> Iterator[str]:
    """What the rules of silence do not know of."""
    yield from out_of_order(part)
    yield from too_long(judge_.cases, part, judge_.pieces)
    yield from after_deletions(part, judge_.pieces)
