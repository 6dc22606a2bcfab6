"""The judge knows what an answer that needs approval waits for: a decision about its draft, or the end of its time."""

from dataclasses import replace

import pytest

from edge.userbot import draft_phrases
from tests.promises.history import History
from tests.promises.judgement import judge
from tests.promises.lines import BOT, USER
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged, Skipped
from tests.promises.lines.messages import Asked
from tests.promises.lines.owners import Draft
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record, Update
from tests.promises.of_account import OfAccount
from tests.promises.owned import Owned
from tests.promises.owned_cases import ANNA, DRAFT, a_draft, a_question, did, make_owned, settled
from tests.promises.pieces import Pieces


def test_a_rejected_answer_is_never_sent() -> None:
    question = a_question(5, 100, 106)

    def rejected(said: str) -> list[str]:
        act = did("reject", 103, 6, None, questions=(question.name,), done_at=104, said=said)
        return list(make_owned([question], [act]).wrongs())

    assert rejected(draft_phrases.rejected("ru", "Анна")) == ["answered although rejected: 1.2.5 вопрос 5"]
    assert not rejected(draft_phrases.over("ru"))


def test_what_needs_approval_is_answered_with_it_or_once_the_time_is_over() -> None:
    question = a_question(5, 100, 103)
    approved = did("approve", 102, 6, None, questions=(question.name,))
    assert list(make_owned([question], approving=[ANNA]).wrongs()) == ["answered without approval: 1.2.5 вопрос 5"]
    assert not list(make_owned([question], [approved], approving=[ANNA]).wrongs())
    assert list(make_owned([question], approving=[ANNA], kind=BOT).wrongs())
    assert not list(make_owned([a_question(5, 100, 106)], approving=[ANNA], kind=BOT).wrongs())


def test_a_draft_that_nobody_decides_about_expires_for_a_user_account_only() -> None:
    question = a_question(5, 100)
    known = {"approving": [ANNA], "drafts": [a_draft(9, question)]}
    assert make_owned([question], **known).explain(question, never_asked=False, counted=0)[0] == "expired"
    assert make_owned([question], **known, kind=BOT).explain(question, never_asked=False, counted=0) is None
    approved = did("approve", 102, 10, None, said=draft_phrases.sent("ru", "Анна"))
    decided = {"approving": [ANNA], "drafts": [a_draft(9, question, decisions=(10,))]}
    assert make_owned([question], [approved], **decided).explain(question, never_asked=False, counted=0) is None


def test_a_message_without_the_prefix_expires_likewise() -> None:
    piece = Asked(USER, ANNA, 5, 5, "1.2.5.0", "вопрос 5", 100.0, is_piece=True)
    known = (Account(USER, True, 4, (ANNA,), "drop"), piece, a_draft(9, piece), Record(USER, ANNA, (5,)))
    logged = (Logged(USER, ANNA, 5, "collecting", 100.1), Acknowledged(REQUESTS, piece.request_id))
    assert judge(History((*known, *logged, *settled(5, "expired")))).faults == []
    assert judge(History((*known[:2], *logged, *settled(5, "answered")))).faults == ["lost: 1.2.5 вопрос 5"]


def test_a_burst_expires_with_all_its_messages_although_the_last_is_deleted_after_it_was_asked() -> None:
    asked = [Asked(USER, ANNA, n, n, f"1.2.{n}.0", f"вопрос {n}", 90.0 + n, is_piece=True) for n in (4, 5)]
    asked[1] = replace(asked[1], deleted_at=98.0)
    logged = [Logged(USER, ANNA, n, "collected" if n > 4 else "collecting", 95.0 + n / 10) for n in (4, 5)]
    known = (Account(USER, True, 4, (ANNA,), "drop", hourly=9), *asked, *logged, Acknowledged(REQUESTS, "1.2.5.0"))
    assert judge(History((*known, *settled(5, "expired")))).faults == []
    assert judge(History(known)).faults == ["lost: 1.2.4 вопрос 4"]


def test_a_decision_that_came_too_late_is_none() -> None:
    question = a_question(5, 100)
    late = did("approve", 102, 10, None, said=draft_phrases.over("ru"))
    known = {"approving": [ANNA], "drafts": [a_draft(9, question, decisions=(10,))]}
    assert make_owned([question], [late], **known).explain(question, never_asked=False, counted=0)[0] == "expired"


def test_what_has_expired_may_be_erased_later_with_its_request() -> None:
    piece = Asked(USER, ANNA, 5, 5, "1.2.5.0", "вопрос 5", 100.0, is_piece=True)
    known = (Account(USER, True, 4, (ANNA,), "drop"), piece, Logged(USER, ANNA, 5, "collecting", 100.1))
    assert judge(History((*known, *settled(5, "expired")))).faults == []
    assert judge(History(known)).faults == ["lost: 1.2.5 вопрос 5"]


def test_a_request_has_one_draft() -> None:
    question = a_question(5, 100)
    drafts = [a_draft(number, question) for number in (9, 10)]
    assert any("two drafts" in wrong for wrong in make_owned([question], drafts=drafts).wrongs())
    assert not list(make_owned([question], drafts=drafts[:1]).wrongs())
    emptied = Disturbance("emptied", "nats", 102, 103, USER)
    assert not list(make_owned([question], drafts=drafts, noted=[emptied]).wrongs())


def test_a_draft_that_is_left_is_found() -> None:
    question = a_question(5, 100)
    left = [a_draft(9, question, is_left=True)]
    assert list(make_owned([question], drafts=left).wrongs()) == ["a draft is left: ['1.2.5'] 9"]
    refused = [Disturbance("deletion_refused", "telegram", 90.0, 90.0, USER)]
    assert not list(make_owned([question], drafts=left, noted=refused).wrongs())
    given_up = Skipped(USER, USER, "ShowDraft", 102.0)
    assert not list(make_owned([question], drafts=left, noted=[given_up]).wrongs())
    two = [*left, Draft(USER, 10, f"{DRAFT}!", (question.name,), 102, is_left=True)]
    assert list(make_owned([question], drafts=two, noted=refused).wrongs()) == ["a draft is left: ['1.2.5'] 10"]
    emptied = Disturbance("emptied", "nats", 102, 103, USER)
    assert not list(make_owned([question], drafts=left, noted=[emptied]).wrongs())


@pytest.mark.parametrize(("first", "kind"), [((), "expired"), ((6,), None)])
def test_a_question_shares_the_fate_of_the_next_one_that_was_joined_with_it(first, kind) -> None:
    questions = [a_question(5, 100), a_question(6, 101), a_question(7, 102)]
    taken_up = [Logged(USER, ANNA, 7, "joined", 102.1), *(Logged(USER, ANNA, n, "asked", 101.1) for n in first)]
    owned = make_owned(questions, log=[*settled(7, "expired"), *taken_up], approving=[ANNA])
    explained = owned.explain(questions[0], never_asked=False, counted=0)
    assert (explained and explained[0]) == kind


def test_a_question_is_rejected_as_the_owner_was_told_whatever_its_burst_was_settled_as() -> None:
    """After a gap the burst's last message may be an older one: the log has the newest one's number."""
    question = a_question(9, 100)
    told = {"questions": (question.name, "1.2.18"), "said": draft_phrases.rejected("ru", "Анна")}
    owned = make_owned([question], [did("reject", 103, 25, None, **told)], log=settled(18, "rejected"))
    assert owned.explain(question, never_asked=True, counted=0) == ("rejected", 103 + 10.0)
    owned = make_owned([question], [did("reject", 103, 25, None, **told | {"said": ""})], log=settled(18, "rejected"))
    assert owned.explain(question, never_asked=True, counted=0) is None


def test_a_burst_joins_the_question_whose_draft_waits() -> None:
    question, piece = a_question(5, 100), replace(a_question(6, 101), is_piece=True)
    log = [Logged(USER, ANNA, 5, "asked", 100.1), Logged(USER, ANNA, 6, "collecting", 101.1), *settled(6, "expired")]

    def explained(*log, approving=(ANNA,)) -> tuple | None:
        return make_owned([question, piece], log=log, approving=approving).explain(
            question, never_asked=False, counted=0
        )

    assert explained(*log)[0] == "expired"
    assert explained(*log[:2]) is None
    assert explained(*log, approving=()) is None


def test_a_burst_that_was_fetched_late_joins_the_question_although_it_was_written_before_that_was_taken_up() -> None:
    question, piece = a_question(5, 100), replace(a_question(6, 101), is_piece=True)
    log = [Logged(USER, ANNA, 5, "asked", 110.1), Logged(USER, ANNA, 6, "collecting", 110.2), *settled(6, "expired")]

    def explained(*log) -> tuple | None:
        owned = make_owned([question, piece], log=log, approving=[ANNA])
        return owned.explain(question, never_asked=False, counted=0)

    assert explained(*log)[0] == "expired"
    assert explained(replace(log[0], at=110.3), *log[1:]) is None


def test_what_has_expired_unseen_is_not_logged_by_a_process_that_is_killed_at_that_moment() -> None:
    question, chat = a_question(5, 100), "1.2 in bucket 1"
    change, kill = Update(chat, 3, "unknown", began=108), Disturbance("kill", USER, 109, 112, USER)

    def explained(*noted, **known) -> tuple | None:
        owned = make_owned([question], noted=noted, **{"approving": [ANNA]} | known)
        return owned.explain(question, never_asked=False, counted=0)

    assert explained(change, kill) == ("expired", 109)
    for noted in (
        (change,),
        (kill,),
        (replace(change, result="ok"), kill),
        (replace(change, key="1.3 in bucket 1"), kill),
        (replace(change, began=104), kill),  # nothing can have expired by then
        (change, replace(kill, began=130, ended=131)),
        (change, replace(kill, account=BOT)),
    ):
        assert explained(*noted) is None
    assert explained(change, kill, approving=()) is None
    assert explained(change, kill, kind=BOT) is None  # it is sent when it expires
    assert explained(change, kill, log=settled(5, "answered")) is None


def test_what_has_expired_unseen_is_not_logged_by_a_process_whose_store_took_that_without_saying_so() -> None:
    question, change = a_question(5, 100), Update("1.2 in bucket 1", 3, "unknown", began=108)
    lost, frozen = Disturbance("update_answer_lost", "chats", 108.1, 113.1), Disturbance("freeze", "nats", 104, 114)

    def explained(*noted) -> tuple | None:
        owned = make_owned([question], noted=noted, approving=[ANNA])
        return owned.explain(question, never_asked=False, counted=0)

    assert explained(change, lost) == ("expired", 108.1)
    assert explained(change, frozen) == ("expired", 108)
    assert explained(change, Disturbance("kill", "nats", 108.1, 110)) == ("expired", 108.1)
    assert explained(change, replace(lost, whom="marks")) is None
    assert explained(change, replace(frozen, whom="rabbitmq")) is None
    repeated = Update("1.2 in bucket 1", 3, "ok", 9, began=114)
    assert explained(change, lost, repeated) is None  # it had not been stored, so the one that was is in the log
    assert explained(change, lost, replace(repeated, expected=4)) == ("expired", 108.1)


def test_a_bot_that_was_not_told_what_it_has_sent_may_leave_a_draft() -> None:
    question, lost = replace(a_question(5, 100), account=BOT), Disturbance("answer_lost", "telegram", 101, 101, BOT)

    def wrongs(account: str, *noted: Disturbance) -> list[str]:
        draft = Draft(account, 7, DRAFT, (question.name,), 101, is_left=True)
        part = OfAccount(History((draft, *noted)), Account(account, True))
        return list(Owned(part, Pieces(part)).wrongs())

    assert wrongs(BOT) == ["a draft is left: ['1.2.5'] 7"]
    assert not wrongs(BOT, lost)
    assert wrongs(BOT, replace(lost, began=90, ended=90))
    assert wrongs(USER, replace(lost, account=USER))
