"""The judge knows what may become of messages without the prefix."""

from dataclasses import replace

import pytest

from edge.userbot import phrases
from tests.promises.case import Case
from tests.promises.history import History
from tests.promises.judge import Judge
from tests.promises.lines.accounts import Account
from tests.promises.lines.disturbances import Break, Disturbance
from tests.promises.lines.logged import Logged, Settled
from tests.promises.lines.messages import Asked, Sent
from tests.promises.lines.owners import Act
from tests.promises.of_account import OfAccount
from tests.promises.pieces import Pieces

CHAT = "2"
FAILED = phrases.failure("ru", phrases.DEADLINE)


def piece(number: int, **known) -> Asked:
    text = f"вопрос {number}"
    return Asked("userbot", CHAT, number, number, f"1.2.{number}.0", text, float(number), is_piece=True, **known)


@pytest.fixture
def make_pieces():
    """`make_pieces(asked, answers, collected)`; `answers`: the texts that the user got, `collected`: by message.

    `failed`: the messages to which the user got a failure line; `over`: when which was settled.
    """

    def make(
        asked, answers=(), collected=None, *, failed=(), disturbances=(), breaks=(), limit=9, doubtful=(), over=None
    ) -> Pieces:
        sent = [Sent("userbot", CHAT, 1000 + n, text, 100.0) for n, text in enumerate(answers)]
        sent += [Sent("userbot", CHAT, 2000 + n, FAILED, 100.0, reply_to=n) for n in failed]
        logged = [Logged("userbot", CHAT, n, effect, at) for n, (at, effect) in (collected or {}).items()]
        logged += [Logged("userbot", CHAT, number, "doubtful", 100.0) for number in doubtful]
        logged += [Settled("userbot", CHAT, n, "owner_took_over", at) for n, at in (over or {}).items()]
        account = Account("userbot", hourly=limit)
        return Pieces(OfAccount(History((*asked, *sent, *logged, *disturbances, *breaks)), account))

    return make


def in_a_burst(*numbers: int) -> dict[int, tuple[float, str]]:
    return {n: (n + 0.1, "collected" if at else "collecting") for at, n in enumerate(numbers)}


def test_one_answer_to_all_of_a_burst_is_right(make_pieces) -> None:
    asked = [piece(1), piece(2), piece(3)]
    pieces = make_pieces(asked, ["вопрос 1\nвопрос 2\nвопрос 3"], in_a_burst(1, 2, 3))
    assert list(pieces.wrongs()) == []
    assert pieces.counts() == {"to_one_message": 0, "to_several_messages": 1, "to_edited_messages": 0}


def test_two_bursts_at_once_are_right_if_the_first_was_over_before_the_second(make_pieces) -> None:
    apart = in_a_burst(1) | {2: (1.3, "collecting")}
    (wrong,) = make_pieces([piece(1), piece(2)], [], apart).wrongs()
    assert "two bursts" in wrong
    assert list(make_pieces([piece(1), piece(2)], [], apart, over={1: 1.2}).wrongs()) == []
    assert list(make_pieces([piece(1), piece(2)], [], apart, over={1: 1.4}).wrongs()) != []


@pytest.mark.parametrize(
    ("effect", "at", "chat", "wrong"),
    [
        ("deleted", 1.2, CHAT, False),
        ("deleted", 1.0, CHAT, True),
        ("deleted", 1.4, CHAT, True),
        ("deleted", 1.2, "3", True),
        ("set", 1.2, CHAT, True),
    ],
)
def test_they_are_right_too_if_the_history_was_deleted_between_them(make_pieces, effect, at, chat, wrong) -> None:
    apart, command = in_a_burst(1) | {3: (1.3, "collecting")}, Logged("userbot", chat, 2, effect, at)
    assert bool([*make_pieces([piece(1), piece(3)], [], apart, breaks=[command]).wrongs()]) == wrong


def test_a_message_between_two_that_were_answered_together_may_be_missing_only_if_it_was_deleted(make_pieces) -> None:
    answer = ["вопрос 1\nвопрос 3"]
    (wrong,) = make_pieces([piece(1), piece(2), piece(3)], answer, in_a_burst(1, 2, 3)).wrongs()
    assert "left out" in wrong
    assert "вопрос 2" in wrong
    assert list(make_pieces([piece(1), piece(2, deleted_at=2.5), piece(3)], answer).wrongs()) == []


@pytest.mark.parametrize(
    ("kind", "is_right"), [("denied", True), ("not_stored", True), ("lost", False), ("answered_once", False)]
)
def test_a_message_between_them_may_be_missing_too_if_something_explains_that_it_was_not_taken_in(
    make_pieces, kind, is_right
) -> None:
    asked, answer, kinds = [piece(1), piece(2), piece(3)], ["вопрос 1\nвопрос 3"], {"1.2.2": kind}
    assert (list(make_pieces(asked, answer, in_a_burst(1, 3)).wrongs(kinds)) == []) == is_right
    (wrong,) = make_pieces(asked, answer, in_a_burst(1, 2, 3)).wrongs(kinds)
    assert "вопрос 2" in wrong


def test_what_is_written_while_its_person_is_denied_is_missing_among_what_they_write_before_and_after() -> None:
    asked = [piece(1, answered_at=4.0), piece(2), piece(3, answered_at=4.0)]
    collected = [Logged("userbot", CHAT, n, effect, at) for n, (at, effect) in in_a_burst(1, 3).items()]
    answer, account = Sent("userbot", CHAT, 9, "вопрос 1\nвопрос 3", 4.0), Account("userbot", True, limit=9, hourly=9)
    denied = Act("userbot", "deny", CHAT, 1.4, 8, done_at=1.5, back_from=2.5, back_at=2.6)
    refused = Logged("userbot", CHAT, 2, "refused_person", 2.1)
    verdict = Judge(OfAccount(History((*asked, *collected, refused, denied, answer)), account)).judge()
    assert (verdict.faults, verdict.denied) == ([], 1)
    verdict = Judge(OfAccount(History((*asked, *collected, answer)), account)).judge()
    assert len(verdict.faults) == 2


def test_a_message_that_came_late_between_them_may_be_missing_if_it_was_settled_without_an_answer(make_pieces) -> None:
    asked, answer = [piece(n) for n in (1, 2, 3, 4)], ["вопрос 3\nвопрос 4"]
    late = {3: (10.0, "collecting"), 1: (10.1, "collected"), 2: (10.2, "collected"), 4: (10.4, "collected")}
    kinds = {"1.2.1": "cancelled", "1.2.2": "cancelled"}
    assert list(make_pieces(asked, answer, late, over={2: 10.3}).wrongs(kinds)) == []
    wrongs = list(make_pieces(asked, answer, late).wrongs(kinds))
    assert ["вопрос 1" in wrongs[0], "вопрос 2" in wrongs[1], len(wrongs)] == [True, True, 2]
    wrongs = list(make_pieces(asked, [*answer, "вопрос 2"], late, over={2: 10.3}).wrongs())
    assert ["вопрос 1" in wrongs[0], "вопрос 2" in wrongs[1], len(wrongs)] == [True, True, 2]


def test_a_question_with_the_prefix_was_taken_in_when_the_log_says_that_it_was_asked(make_pieces) -> None:
    first, with_prefix, last = piece(1), replace(piece(2), is_piece=False), piece(3)
    taken = {1: (9.0, "collecting"), 2: (9.2, "queued"), 3: (9.3, "collected")}
    answer = ["вопрос 2\nвопрос 3"]
    assert list(make_pieces([first, with_prefix, last], answer, taken).wrongs()) == []
    (wrong,) = make_pieces([first, with_prefix, last], answer, taken | {1: (9.25, "collecting")}).wrongs()
    assert "вопрос 1" in wrong


def test_what_was_asked_before_a_late_burst_was_taken_in_but_after_its_last_piece_is_not_left_out_of_it(
    make_pieces,
) -> None:
    asked, late = [piece(1), piece(3), piece(5)], {1: (4.0, "collecting"), 3: (8.0, "collected")}
    assert list(make_pieces(asked, ["вопрос 1\nвопрос 3"], late).wrongs()) == []
    between = [piece(1), piece(5), piece(6)]
    (wrong,) = make_pieces(between, ["вопрос 1\nвопрос 6"], {1: (4.0, "collecting"), 6: (8.0, "collected")}).wrongs()
    assert "вопрос 5" in wrong


def test_a_message_that_the_userbot_got_too_late_is_answered_by_itself(make_pieces) -> None:
    late = in_a_burst(1, 3) | {2: (110.0, "collecting")}
    assert list(make_pieces([piece(1), piece(2), piece(3)], ["вопрос 1\nвопрос 3", "вопрос 2"], late).wrongs()) == []


def test_what_came_while_older_messages_were_missing_is_a_burst_of_its_own(make_pieces) -> None:
    asked, live = [piece(n) for n in (1, 2, 3, 4)], {3: (3.1, "collecting")}
    fetched = {1: (10.0, "collecting"), 2: (10.1, "collected"), 4: (10.2, "collected")}
    together = "вопрос 1\nвопрос 2\nвопрос 4"
    pieces = make_pieces(asked, ["вопрос 3", together], live | fetched)
    assert list(pieces.wrongs()) == []
    assert not pieces.was_left_behind(asked[2])
    (wrong,) = make_pieces(asked, [together], fetched | {3: (10.15, "collected")}).wrongs()
    assert "вопрос 3" in wrong


@pytest.mark.parametrize(("apart", "why", "wrong"), [(0.2, (), True), (0.9, (), False), (0.2, ("nats",), False)])
def test_two_messages_that_came_at_once_are_one_burst_unless_a_process_died(make_pieces, apart, why, wrong) -> None:
    disturbances = [Disturbance("kill", whom, 100.1, 100.15) for whom in why]
    collected = {1: (100.0, "collecting"), 2: (100.0 + apart, "collecting")}
    pieces = make_pieces([piece(1), piece(2)], ["вопрос 1", "вопрос 2"], collected, disturbances=disturbances)
    assert bool([*pieces.wrongs()]) == wrong


def test_nobody_gets_more_answers_in_an_hour_than_the_limit(make_pieces) -> None:
    asked, answers = [piece(n) for n in (1, 2, 3)], ["вопрос 1", "вопрос 2", "вопрос 3"]
    assert list(make_pieces(asked, answers, limit=3).wrongs()) == []
    assert list(make_pieces(asked, answers, limit=2).wrongs()) == [
        f"3 answers without the prefix for {CHAT}, 2 allowed"
    ]
    afresh = Break("userbot", CHAT, own_id=0, at=1, afresh_at=2)
    assert list(make_pieces(asked, answers, limit=2, breaks=[afresh]).wrongs()) == []


def test_the_limit_explains_a_silence_only_after_as_many_messages(make_pieces) -> None:
    asked = [piece(n) for n in (1, 2, 3)]
    pieces = make_pieces(asked, ["вопрос 1", "вопрос 2"], limit=2)
    assert [pieces.explain(one) for one in asked] == ["", "", "hour_limit"]
    assert make_pieces(asked, [], in_a_burst(3), limit=2).explain(asked[2]) == ""
    assert make_pieces(asked, [], in_a_burst(1) | in_a_burst(2), limit=2).explain(asked[2]) == "hour_limit"
    assert make_pieces(asked, [], in_a_burst(1, 2), limit=2).explain(asked[2]) == ""
    assert make_pieces(asked, [], limit=2).explain(asked[2]) == ""


def test_a_piece_failed_together_with_another_of_its_burst_and_only_of_its_burst(make_pieces) -> None:
    asked = [piece(1), piece(2), piece(3)]
    one, two = in_a_burst(1, 2), in_a_burst(1) | {2: (102.0, "collecting")}
    assert make_pieces(asked, [], one | {3: (105.0, "collecting")}, failed={2}).explain(asked[0]) == "joined"
    assert make_pieces(asked, [], two, failed={2}).explain(asked[0]) == ""
    assert make_pieces(asked, ["вопрос 2"], one).explain(asked[0]) == ""


def test_a_deleted_message_may_stay_without_an_answer(make_pieces) -> None:
    deleted = piece(1, deleted_at=1.5)
    assert make_pieces([deleted]).explain(deleted) == "deleted"


def test_a_piece_is_never_ignored_as_busy() -> None:
    judge = Judge(OfAccount(History(()), Account("userbot", hourly=9)))
    assert judge._kind(Case(piece(1), [], True, [], 1.1, None))[0] == "lost"


def test_the_same_text_is_answered_twice_only_if_the_first_time_was_forgotten(make_pieces) -> None:
    again = piece(1, repeated_at=5.0)
    assert not make_pieces([again]).may_repeat(again)
    together, lost = replace(piece(1), is_piece=False), [Disturbance("emptied", "nats", 3, 4)]
    assert make_pieces([together], [], in_a_burst(1), disturbances=lost).may_repeat(together)
    assert not make_pieces([together], [], in_a_burst(1)).may_repeat(together)
    assert not make_pieces([together], disturbances=lost).may_repeat(together)
    assert make_pieces([again], disturbances=[Disturbance("emptied", "nats", 3, 4)]).may_repeat(again)
    assert not make_pieces([piece(2)], disturbances=[Disturbance("emptied", "nats", 3, 4)]).may_repeat(piece(2))


def test_what_joined_a_waiting_draft_leaves_the_first_question_without_a_reply(make_pieces) -> None:
    first, second, third = (replace(piece(number), is_piece=False) for number in (1, 2, 3))
    lost = Disturbance("emptied", "nats", 3, 4)
    before = Sent("userbot", CHAT, 1001, "вопрос 1\nвопрос 2", 5.0, reply_to=2)
    again = Sent("userbot", CHAT, 1002, "вопрос 1\nвопрос 3", 6.0, reply_to=3)

    def may_repeat(*sent: Sent, disturbances=(lost,)) -> bool:
        return make_pieces([first, second, third], disturbances=(*disturbances, *sent)).may_repeat(first)

    assert may_repeat(before, again)
    assert not may_repeat(before, again, disturbances=())
    assert not may_repeat(replace(before, reply_to=1), again)
    assert not may_repeat(before, again, replace(before, id=1000, reply_to=900))
    assert not may_repeat(before)


def test_doubtful_is_what_was_asked_before_a_store_or_the_index_was_lost_and_what_was_collected_with_it(
    make_pieces,
) -> None:
    asked, lost = [piece(1), piece(2)], Disturbance("deleted_bucket", "marks", 3, 4)
    pieces = make_pieces(asked, [], in_a_burst(1, 2), doubtful={2}, disturbances=[lost])
    assert [pieces.explain(one) for one in asked] == ["joined", "doubtful"]
    assert make_pieces(asked, doubtful={2}).explain(asked[1]) == ""
    elsewhere = Disturbance("deleted_bucket", "telegram", 3, 4)
    assert make_pieces(asked, doubtful={2}, disturbances=[elsewhere]).explain(asked[1]) == ""


def test_a_piece_whose_burst_was_answered_without_it_is_lost_whatever_else_went_wrong(make_pieces) -> None:
    asked = [piece(1), piece(2), piece(3)]
    assert make_pieces(asked, ["вопрос 2\nвопрос 3"], in_a_burst(1, 2, 3)).was_left_behind(asked[0])
    assert not make_pieces(asked, ["вопрос 3"], in_a_burst(1, 3)).was_left_behind(asked[0])
    assert not make_pieces(asked, ["вопрос 3"], in_a_burst(1, 2) | in_a_burst(3)).was_left_behind(asked[1])
    assert not make_pieces(asked, [], in_a_burst(1, 2, 3), failed={3}).was_left_behind(asked[0])


def test_a_burst_that_begins_with_a_deleted_message_is_not_the_one_before(make_pieces) -> None:
    asked = [piece(1), piece(2, deleted_at=2.5), piece(3)]
    apart, together = in_a_burst(1) | in_a_burst(2, 3), in_a_burst(1, 3)
    assert not make_pieces(asked, ["вопрос 3"], apart).was_left_behind(asked[0])
    assert make_pieces(asked, ["вопрос 3"], together).was_left_behind(asked[0])
    assert make_pieces(asked, ["вопрос 3"], in_a_burst(1, 2, 3)).was_left_behind(asked[0])


def test_a_piece_that_came_again_after_a_crash_failed_with_the_pieces_that_went_on_with_its_burst(make_pieces) -> None:
    asked, again, on = [piece(1), piece(2)], {1: (3.0, "duplicate")}, {2: (3.1, "collected")}
    assert make_pieces(asked, collected=again | on, failed=[2]).explain(asked[0]) == "joined"
    assert make_pieces(asked, collected=again, failed=[2]).explain(asked[0]) == ""
    assert make_pieces(asked, collected=on, failed=[2]).explain(asked[0]) == ""
    assert make_pieces(asked, collected=again | {2: (3.1, "collecting")}, failed=[2]).explain(asked[0]) == ""
    assert make_pieces(asked, ["вопрос 2"], collected=again | on).explain(asked[0]) == ""
    assert make_pieces(asked, collected={1: (1.1, "asked")} | on, failed=[2]).explain(asked[0]) == ""
