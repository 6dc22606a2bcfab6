"""Every acknowledged event belongs to a question, or to what an owner wrote of a draft that was lost with the store."""

from dataclasses import replace

from events.transport import Channel
from tests.promises.events import unaccounted
from tests.promises.history import History, Line
from tests.promises.lines import BOT
from tests.promises.lines.disturbances import Disturbance
from tests.promises.lines.logged import Logged
from tests.promises.lines.owners import Act, Draft
from tests.promises.lines.stored import Acknowledged

EVENT = Acknowledged(Channel.REQUESTS, "1.9.34.0")
ACT = Act(BOT, "replace", None, 28.0, 34, questions=("1.2.28",), done_at=38.1)
DRAFT = Draft(BOT, 20, "черновик", ("1.2.28",), 27.0, decisions=(34,))
EMPTIED = Disturbance("emptied", "nats", 27.8, 38.0, BOT)


def found(*lines: Line) -> list[str]:
    return list(unaccounted(History(lines)))


def test_what_the_owner_wrote_of_a_draft_that_an_emptied_store_took_along_may_be_a_question() -> None:
    assert found(EVENT, ACT, DRAFT, EMPTIED) == []
    assert found(EVENT, ACT, DRAFT) != []
    assert found(EVENT, ACT, EMPTIED) != []
    assert found(EVENT, replace(ACT, what="approve"), DRAFT, EMPTIED) != []
    assert found(EVENT, ACT, DRAFT, replace(EMPTIED, began=10.0, ended=12.0)) != []
    assert found(EVENT, ACT, DRAFT, replace(EMPTIED, began=39.0, ended=40.0)) != []


def test_so_may_a_sign_if_the_log_says_that_it_was_collected_as_a_message_without_the_prefix() -> None:
    sign, collected = replace(ACT, what="reject"), Logged(BOT, "9", 34, "collecting", 35.0)
    assert found(EVENT, sign, DRAFT, EMPTIED, collected) == []
    assert found(EVENT, sign, DRAFT, collected) != []
    for other in ({"message_id": 35}, {"chat": "8"}, {"effect": "ordered"}, {"account": "userbot"}):
        assert found(EVENT, sign, DRAFT, EMPTIED, replace(collected, **other)) != []


def test_an_event_of_another_message_account_or_group_is_not_excused() -> None:
    for name in ("1.9.35.0", "3.9.34.0", "1.-100.34.0"):
        assert found(replace(EVENT, request_id=name), ACT, DRAFT, EMPTIED) != []
