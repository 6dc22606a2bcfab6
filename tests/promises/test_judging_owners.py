"""The judge excuses a silence only where the owner explains it, and finds answers that the owner was against."""

from dataclasses import replace

import pytest

from edge.userbot.owner import phrases as owner_phrases
from tests.promises.history import History
from tests.promises.judgement import judge
from tests.promises.lines import FOR_EVER, USER
from tests.promises.lines.accounts import Account, Settings
from tests.promises.lines.disturbances import Disturbance, Refused
from tests.promises.lines.logged import Logged, Settled, Undeliverable
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.owners import Act
from tests.promises.owned_cases import ANNA, BORIS, a_question, did, make_owned, settled
from tests.promises.owners_acts import holds_at


@pytest.mark.parametrize(
    ("what", "outcome", "kind"), [("wrote", "owner_took_over", "taken_over"), ("cancel", "cancelled", "cancelled")]
)
def test_the_owner_explains_the_silence_of_what_was_asked_before(what, outcome, kind) -> None:
    question, act = a_question(5, 100), did(what, 103, 6, done_at=104)
    log = settled(5, outcome)

    def explained(act: Act, log=log):
        return make_owned([question], [act], log=log).explain(question, never_asked=False, counted=0)

    assert explained(act)[0] == kind
    assert explained(act, ()) is None
    assert explained(did(what, 90, 4)) is None
    assert explained(did(what, 103, 6, BORIS)) is None


def test_a_killed_userbot_may_have_taken_the_line_along() -> None:
    question, act = a_question(5, 100), did("wrote", 103, 6)
    owned = make_owned([question], [act], noted=[Disturbance("kill", USER, 103, 104)])
    assert owned.explain(question, never_asked=False, counted=0) is None
    assert owned.explain(question, never_asked=False, counted=0, unlogged=True)[0] == "taken_over"
    calm = make_owned([question], [act])
    assert calm.explain(question, never_asked=False, counted=0, unlogged=True) is None


@pytest.mark.parametrize(("what", "kind"), [("pause", "paused"), ("deny", "denied")])
def test_only_what_was_asked_meanwhile_is_refused(what, kind) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    meanwhile, later = a_question(6, 102), a_question(7, 105)
    owned = make_owned([meanwhile, later], [act])
    assert owned.explain(meanwhile, never_asked=True, counted=0)[0] == kind
    assert owned.explain(meanwhile, never_asked=False, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=0) is None
    assert owned.explain(later, never_asked=True, counted=4)[0] == "day_limit"


@pytest.mark.parametrize("what", ["pause", "deny"])
def test_nobody_is_answered_between_an_order_that_was_carried_out_and_its_end(what) -> None:
    act = did(what, 100, 5, done_at=101, back_from=103, back_at=104)
    assert list(make_owned([a_question(6, 102, 102.5)], [act]).wrongs()) == [
        f"answered despite /{what}: 1.2.6 вопрос 6"
    ]
    assert not list(make_owned([a_question(6, 103.5, 104.5), a_question(4, 99, 103)], [act]).wrongs())


def test_nobody_is_answered_once_the_owner_has_taken_over() -> None:
    log, act = [Logged(USER, ANNA, 6, "owner_took_over", 103.1)], did("wrote", 103, 6)
    late, in_time = a_question(5, 100, 106), a_question(5, 100, 103.2)
    assert list(make_owned([late], [act], log=log).wrongs()) == ["answered after wrote: 1.2.5 вопрос 5"]
    assert not list(make_owned([in_time], [act], log=log).wrongs())


def test_a_question_that_was_asked_before_a_pause_and_fetched_during_it_may_be_refused() -> None:
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


def test_a_message_taken_for_the_owners_is_found_without_an_owner_too() -> None:
    lines = (Account(USER), Logged(USER, ANNA, 17, "owner_wrote", 100.0))
    assert judge(History(lines)).faults == ["userbot: took its own messages for the owner's: [17]"]


def test_a_pause_that_is_not_taken_back_yet_lasts() -> None:
    assert holds_at(did("pause", 100, 5, done_at=101), 10**9)
    assert not holds_at(did("pause", 100, 5), FOR_EVER)


def test_nobody_is_found_by_a_name_that_nobody_has() -> None:
    def wrongs(said: str) -> list[str]:
        return list(make_owned([], [did("misname", 103, 6, None, done_at=104, said=said)]).wrongs())

    found = owner_phrases.paused("ru", "@nobody", "")
    assert wrongs(found) == [f"found somebody whom there is not: {found}"]
    assert not wrongs(owner_phrases.no_such_chat("ru", "@nobody"))
    assert not wrongs("")  # it was not answered, e.g. as a store was lost


def test_an_order_that_was_not_carried_out_explains_nothing() -> None:
    question, act = a_question(5, 100), did("void", 99, 4, said=owner_phrases.not_now("ru", "@anna"))
    assert make_owned([question], [act]).explain(question, never_asked=True, counted=0) is None
    assert not list(make_owned([a_question(5, 100, 103)], [act]).wrongs())


def flooded(**known) -> Act:
    return did("flooded", 100, 0, None, back_from=110, back_at=111, **known)


def test_nobody_is_answered_once_telegram_takes_the_account_for_a_spammer() -> None:
    act = flooded(done_at=101, said="Telegram счёл")
    assert (
        make_owned([a_question(6, 105)], [act]).explain(a_question(6, 105), never_asked=True, counted=0)[0] == "paused"
    )
    assert make_owned([], [act]).explain(a_question(7, 112), never_asked=True, counted=0) is None
    assert list(make_owned([a_question(6, 105, 106)], [act]).wrongs()) == ["answered despite /flooded: 1.2.6 вопрос 6"]
    assert not list(make_owned([a_question(6, 99, 104), a_question(7, 112, 113)], [act]).wrongs())


def test_the_owner_is_told_once_that_all_chats_are_paused() -> None:
    def wrongs(*noted: Disturbance, **known) -> list[str]:
        return list(make_owned([], [flooded(**known)], noted=noted).wrongs())

    assert wrongs() == ["not told that all chats are paused"]
    assert wrongs(done_at=101, times=2) == ["told 2 times that all chats are paused"]
    assert not wrongs(done_at=101)
    assert not wrongs(Disturbance("emptied", "nats", 90, 95))


def test_a_message_of_a_burst_during_a_pause_is_not_the_one_whose_answer_telegram_refused() -> None:
    pause = did("pause", 100, 5, done_at=101, back_from=103, back_at=104)
    paused, refused = replace(a_question(6, 102), is_piece=True), a_question(7, 105)
    log = (
        Logged(USER, ANNA, 6, "paused", 102.0),
        Logged(USER, ANNA, 7, "asked", 105.1),
        Undeliverable(USER, ANNA, 106.0),
        Settled(USER, ANNA, 7, "undeliverable", 106.1),
    )
    account = Account(USER, True, 4, (), "drop", hourly=10)
    verdict = judge(History((Settings(), account, Refused(USER, 1), pause, paused, refused, *log))).verdicts[USER]
    assert (verdict.paused, verdict.undeliverable, verdict.lost) == (1, 1, 0)
