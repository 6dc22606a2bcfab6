"""The judge excuses a silence only where the owner explains it, and finds answers that the owner was against."""

from dataclasses import replace

import pytest

from edge.userbot import draft_phrases
from edge.userbot.owner import phrases as owner_phrases
from tests.promises.history import History
from tests.promises.judgement import judge
from tests.promises.lines import BOT, FOR_EVER, USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged, Settled, Skipped
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.owners import Act, Draft
from tests.promises.lines.stored import REQUESTS, Acknowledged, Record, Update
from tests.promises.of_account import OfAccount
from tests.promises.owned import Owned
from tests.promises.owners_acts import holds_at
from tests.promises.pieces import Pieces

ANNA, BORIS = "2", "3"
DRAFT = "Черновик ответа: вопрос"
EXPIRED = {USER: "drop", BOT: "send"}


def a_question(number: int, asked_at: float, answered_at: float | None = None, chat: str = ANNA) -> Asked:
    return Asked(USER, chat, number, number, f"1.2.{number}.0", f"вопрос {number}", asked_at, answered_at)


def did(what: str, at: float, number: int, chat: str | None = ANNA, **known) -> Act:
    return Act(USER, what, chat, at, number, **known)


def a_draft(number: int, question: Asked, **known) -> Draft:
    return Draft(USER, number, DRAFT, (question.name,), 101, **known)


@pytest.fixture
def make_owned():
    """`make_owned(questions, acts, …)`; questions with `answered_at` have their own text as the answer."""

    def make(questions, acts=(), *, log=(), noted=(), kind=USER, approving=(), drafts=()) -> Owned:
        account = Account(USER, True, 4, tuple(approving), EXPIRED[kind])
        answered = [one for one in questions if one.answered_at]
        sent = [Sent(USER, one.chat, 1000 + one.own_id, one.text, one.answered_at) for one in answered]
        lines = (Settings(owner_pause=3.0, approve_for=5.0), *questions, *acts, *log, *noted, *drafts, *sent)
        part = OfAccount(History(lines), account)
        return Owned(part, Pieces(part))

    return make


def settled(number: int, outcome: str) -> list:
    return [Settled(USER, ANNA, number, outcome, 103.0)]


@pytest.mark.parametrize(
    ("what", "outcome", "kind"), [("wrote", "owner_took_over", "taken_over"), ("cancel", "cancelled", "cancelled")]
)
def test_the_owner_explains_the_silence_of_what_was_asked_before(make_owned, what, outcome, kind) -> None:
    question, act = a_question(5, 100), did(what, 103, 6, done_at=104)
    log = settled(5, outcome)

    def explained(act: Act, log=log):
        return make_owned([question], [act], log=log).explain(question, never_asked=False, counted=0)

    assert explained(act)[0] == kind
    assert explained(act, ()) is None
    assert explained(did(what, 90, 4)) is None
    assert explained(did(what, 103, 6, BORIS)) is None


def test_a_killed_userbot_may_have_taken_the_line_along(make_owned) -> None:
    question, act = a_question(5, 100), did("wrote", 103, 6)
    owned = make_owned([question], [act], noted=[Disturbance("kill", USER, 103, 104)])
    assert owned.explain(question, never_asked=False, counted=0) is None
    assert owned.explain(question, never_asked=False, counted=0, unlogged=True)[0] == "taken_over"
    calm = make_owned([question], [act])
    assert calm.explain(question, never_asked=False, counted=0, unlogged=True) is None


@pytest.mark.parametrize(("what", "kind"), [("pause", "paused"), ("deny", "denied")])
def test_only_what_was_asked_meanwhile_is_refused(make_owned, what, kind) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    meanwhile, later = a_question(6, 102), a_question(7, 105)
    owned = make_owned([meanwhile, later], [act])
    assert owned.explain(meanwhile, never_asked=True, counted=0)[0] == kind
    assert owned.explain(meanwhile, never_asked=False, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=4)[0] == "day_limit"


@pytest.mark.parametrize("what", ["pause", "deny"])
def test_nobody_is_answered_between_an_order_that_was_carried_out_and_its_end(make_owned, what) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    assert list(make_owned([a_question(6, 102, 102.5)], [act]).wrongs()) == [
        f"answered despite /{what}: 1.2.6 вопрос 6"
    ]
    assert not list(make_owned([a_question(6, 103.5, 104.5), a_question(4, 99, 103)], [act]).wrongs())


def test_nobody_is_answered_once_the_owner_has_taken_over(make_owned) -> None:
    log, act = [Logged(USER, ANNA, 6, "owner_took_over", 103.1)], did("wrote", 103, 6)
    late, in_time = a_question(5, 100, 106), a_question(5, 100, 103.2)
    assert list(make_owned([late], [act], log=log).wrongs()) == ["answered after wrote: 1.2.5 вопрос 5"]
    assert not list(make_owned([in_time], [act], log=log).wrongs())


def test_a_rejected_answer_is_never_sent(make_owned) -> None:
    question = a_question(5, 100, 106)

    def rejected(said: str) -> list[str]:
        act = did("reject", 103, 6, None, questions=(question.name,), done_at=104, said=said)
        return list(make_owned([question], [act]).wrongs())

    assert rejected(draft_phrases.rejected("ru", "Анна")) == ["answered although rejected: 1.2.5 вопрос 5"]
    assert not rejected(draft_phrases.over("ru"))


def test_what_needs_approval_is_answered_with_it_or_once_the_time_is_over(make_owned) -> None:
    question = a_question(5, 100, 103)
    approved = did("approve", 102, 6, None, questions=(question.name,))
    assert list(make_owned([question], approving=[ANNA]).wrongs()) == ["answered without approval: 1.2.5 вопрос 5"]
    assert not list(make_owned([question], [approved], approving=[ANNA]).wrongs())
    assert list(make_owned([question], approving=[ANNA], kind=BOT).wrongs())
    assert not list(make_owned([a_question(5, 100, 106)], approving=[ANNA], kind=BOT).wrongs())


def test_a_draft_that_nobody_decides_about_expires_for_a_user_account_only(make_owned) -> None:
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


def test_a_decision_that_came_too_late_is_none(make_owned) -> None:
    question = a_question(5, 100)
    late = did("approve", 102, 10, None, said=draft_phrases.over("ru"))
    known = {"approving": [ANNA], "drafts": [a_draft(9, question, decisions=(10,))]}
    assert make_owned([question], [late], **known).explain(question, never_asked=False, counted=0)[0] == "expired"


def test_a_question_that_was_asked_before_a_pause_and_fetched_during_it_may_be_refused(make_owned) -> None:
    question, pause = a_question(5, 100), did("pause", 102, 6, back_from=110, back_at=112)
    for refused_at, explained in ((101, None), (103, "paused"), (113, None)):
        owned = make_owned([question], [pause], log=[Logged(USER, ANNA, 5, "paused", refused_at)])
        found = owned.explain(question, never_asked=True, counted=0)
        assert (found and found[0]) == explained


def test_a_message_without_the_prefix_may_be_cancelled_without_a_line_if_something_was_out_of_order() -> None:
    piece = Asked(USER, ANNA, 5, 5, "1.2.5.0", "вопрос 5", 95.0, is_piece=True)
    known = (Account(USER, True, 4), piece, Logged(USER, ANNA, 5, "collecting", 95.1), did("cancel", 96.0, 6))
    assert judge(History(known)).faults == ["lost: 1.2.5 вопрос 5"]
    assert judge(History((*known, Disturbance("kill", USER, 96, 97, USER)))).faults == []


def test_an_owner_whose_message_is_fetched_after_a_later_question_takes_over_all_the_same() -> None:
    first, second = a_question(5, 95.0), a_question(8, 100.0)
    logged = (Logged(USER, ANNA, 8, "asked", 100.1), Logged(USER, ANNA, 5, "joined", 101.0))
    known = (Settings(owner_pause=600), Account(USER, True, 4, (ANNA,), "drop"), first, second, *logged)
    act = did("wrote", 97.0, 6)
    over = (Logged(USER, ANNA, 6, "owner_took_over", 101.1), *settled(5, "owner_took_over"))
    assert judge(History((*known, act, *over))).faults == []
    assert judge(History((*known, act))).faults == ["lost: 1.2.5 вопрос 5", "lost: 1.2.8 вопрос 8"]


def test_what_has_expired_may_be_erased_later_with_its_request(make_owned) -> None:
    piece = Asked(USER, ANNA, 5, 5, "1.2.5.0", "вопрос 5", 100.0, is_piece=True)
    known = (Account(USER, True, 4, (ANNA,), "drop"), piece, Logged(USER, ANNA, 5, "collecting", 100.1))
    assert judge(History((*known, *settled(5, "expired")))).faults == []
    assert judge(History(known)).faults == ["lost: 1.2.5 вопрос 5"]


def test_an_order_between_two_messages_of_a_burst_concerns_what_was_before_it_only() -> None:
    asked = [Asked(USER, ANNA, n, n, f"1.2.{n}.0", f"вопрос {n}", 90.0 + n, is_piece=True) for n in (4, 5, 7)]
    logged = [Logged(USER, ANNA, n, "collected" if n > 4 else "collecting", 100.0 + n / 10) for n in (4, 5, 7)]
    answer = Sent(USER, ANNA, 1007, "вопрос 7", 101.0, reply_to=7)
    known = (Account(USER, True, 4, hourly=9), *asked, *logged, answer, did("cancel", 96.0, 6, done_at=100.9))
    assert judge(History((*known, *settled(5, "cancelled")))).faults == []
    assert judge(History(known)).faults == ["lost: 1.2.4 вопрос 4", "lost: 1.2.5 вопрос 5"]


def test_a_burst_is_over_for_all_its_messages_when_the_owner_takes_over_although_the_last_is_deleted_later() -> None:
    asked = [Asked(USER, ANNA, n, n, f"1.2.{n}.0", f"вопрос {n}", 90.0 + n, is_piece=True) for n in (4, 5)]
    asked[1] = replace(asked[1], deleted_at=120.0)
    logged = [Logged(USER, ANNA, n, "collected" if n > 4 else "collecting", 95.0 + n / 10) for n in (4, 5)]
    known = (Account(USER, True, 4, hourly=9), *asked, *logged, did("wrote", 96.0, 6))
    assert judge(History((*known, *settled(5, "owner_took_over")))).faults == []
    assert judge(History(known)).faults == ["lost: 1.2.4 вопрос 4"]


def test_a_request_has_one_draft(make_owned) -> None:
    question = a_question(5, 100)
    drafts = [a_draft(number, question) for number in (9, 10)]
    assert any("two drafts" in wrong for wrong in make_owned([question], drafts=drafts).wrongs())
    assert not list(make_owned([question], drafts=drafts[:1]).wrongs())
    emptied = Disturbance("emptied", "nats", 102, 103, USER)
    assert not list(make_owned([question], drafts=drafts, noted=[emptied]).wrongs())


def test_a_draft_that_is_left_is_found(make_owned) -> None:
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


def test_a_message_taken_for_the_owners_is_found_without_an_owner_too() -> None:
    lines = (Account(USER), Logged(USER, ANNA, 17, "owner_wrote", 100.0))
    assert judge(History(lines)).faults == ["userbot: took its own messages for the owner's: [17]"]


def test_a_pause_that_is_not_taken_back_yet_lasts() -> None:
    assert holds_at(did("pause", 100, 5, done_at=101), 10**9)
    assert not holds_at(did("pause", 100, 5), FOR_EVER)


@pytest.mark.parametrize(("first", "kind"), [((), "expired"), ((6,), None)])
def test_a_question_shares_the_fate_of_the_next_one_that_was_joined_with_it(make_owned, first, kind) -> None:
    questions = [a_question(5, 100), a_question(6, 101), a_question(7, 102)]
    taken_up = [Logged(USER, ANNA, 7, "joined", 102.1), *(Logged(USER, ANNA, n, "asked", 101.1) for n in first)]
    owned = make_owned(questions, log=[*settled(7, "expired"), *taken_up], approving=[ANNA])
    explained = owned.explain(questions[0], never_asked=False, counted=0)
    assert (explained and explained[0]) == kind


def test_a_question_is_rejected_as_the_owner_was_told_whatever_its_burst_was_settled_as(make_owned) -> None:
    """After a gap the burst's last message may be an older one: the log has the newest one's number."""
    question = a_question(9, 100)
    told = {"questions": (question.name, "1.2.18"), "said": draft_phrases.rejected("ru", "Анна")}
    owned = make_owned([question], [did("reject", 103, 25, None, **told)], log=settled(18, "rejected"))
    assert owned.explain(question, never_asked=True, counted=0) == ("rejected", 103 + 10.0)
    owned = make_owned([question], [did("reject", 103, 25, None, **told | {"said": ""})], log=settled(18, "rejected"))
    assert owned.explain(question, never_asked=True, counted=0) is None


def test_nobody_is_found_by_a_name_that_nobody_has(make_owned) -> None:
    def wrongs(said: str) -> list[str]:
        return list(make_owned([], [did("misname", 103, 6, None, done_at=104, said=said)]).wrongs())

    found = owner_phrases.paused("ru", "@nobody", "")
    assert wrongs(found) == [f"found somebody whom there is not: {found}"]
    assert not wrongs(owner_phrases.no_such_chat("ru", "@nobody"))
    assert not wrongs("")  # it was not answered, e.g. as a store was lost


def test_an_order_that_was_not_carried_out_explains_nothing(make_owned) -> None:
    question, act = a_question(5, 100), did("void", 99, 4, said=owner_phrases.not_now("ru", "@anna"))
    assert make_owned([question], [act]).explain(question, never_asked=True, counted=0) is None
    assert not list(make_owned([a_question(5, 100, 103)], [act]).wrongs())


def flooded(**known) -> Act:
    return did("flooded", 100, 0, None, back_from=110, back_at=111, **known)


def test_nobody_is_answered_once_telegram_takes_the_account_for_a_spammer(make_owned) -> None:
    act = flooded(done_at=101, said="Telegram счёл")
    assert (
        make_owned([a_question(6, 105)], [act]).explain(a_question(6, 105), never_asked=True, counted=0)[0] == "paused"
    )
    assert make_owned([], [act]).explain(a_question(7, 112), never_asked=True, counted=0) is None
    assert list(make_owned([a_question(6, 105, 106)], [act]).wrongs()) == ["answered despite /flooded: 1.2.6 вопрос 6"]
    assert not list(make_owned([a_question(6, 99, 104), a_question(7, 112, 113)], [act]).wrongs())


def test_the_owner_is_told_once_that_all_chats_are_paused(make_owned) -> None:
    def wrongs(*noted: Disturbance, **known) -> list[str]:
        return list(make_owned([], [flooded(**known)], noted=noted).wrongs())

    assert wrongs() == ["not told that all chats are paused"]
    assert wrongs(done_at=101, times=2) == ["told 2 times that all chats are paused"]
    assert not wrongs(done_at=101)
    assert not wrongs(Disturbance("emptied", "nats", 90, 95))


def test_a_burst_joins_the_question_whose_draft_waits(make_owned) -> None:
    question, piece = a_question(5, 100), replace(a_question(6, 101), is_piece=True)
    log = [Logged(USER, ANNA, 5, "asked", 100.1), Logged(USER, ANNA, 6, "collecting", 101.1), *settled(6, "expired")]

    def explained(*log, approving=(ANNA,)) -> tuple | None:
        return make_owned([question, piece], log=log, approving=approving).explain(
            question, never_asked=False, counted=0
        )

    assert explained(*log)[0] == "expired"
    assert explained(*log[:2]) is None
    assert explained(*log, approving=()) is None


def test_a_burst_that_was_fetched_late_joins_the_question_although_it_was_written_before_that_was_taken_up(
    make_owned,
) -> None:
    question, piece = a_question(5, 100), replace(a_question(6, 101), is_piece=True)
    log = [Logged(USER, ANNA, 5, "asked", 110.1), Logged(USER, ANNA, 6, "collecting", 110.2), *settled(6, "expired")]

    def explained(*log) -> tuple | None:
        owned = make_owned([question, piece], log=log, approving=[ANNA])
        return owned.explain(question, never_asked=False, counted=0)

    assert explained(*log)[0] == "expired"
    assert explained(replace(log[0], at=110.3), *log[1:]) is None


def test_what_has_expired_unseen_is_not_logged_by_a_process_that_is_killed_at_that_moment(make_owned) -> None:
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


def test_what_has_expired_unseen_is_not_logged_by_a_process_whose_store_took_that_without_saying_so(make_owned) -> None:
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
