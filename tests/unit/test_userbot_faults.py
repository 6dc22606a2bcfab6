"""What Telegram's answers mean, as pyrogram hands them on: its lists are of 2023 and know only some of them."""

import sqlite3
from datetime import timedelta
from random import Random

import pytest
from pyrogram import Client
from pyrogram.errors import RPCError
from pyrogram.raw import functions, types

from edge.userbot.telegram import pyrogram_repairs
from edge.userbot.telegram.faults import BadMessage, TransportRefused, classify, code, flood_wait, name
from events.faults import Fault
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying


@pytest.fixture(autouse=True)
def _repaired() -> None:
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


def answered(number: int, word: str) -> RPCError:
    """The error that pyrogram makes of an answer."""
    answer = types.RpcError(error_code=number, error_message=word)
    with pytest.raises(RPCError) as raised:
        RPCError.raise_it(answer, functions.messages.SendMessage)
    return raised.value


JUDGED = {
    Fault.DONE: [(500, "RANDOM_ID_DUPLICATE"), (400, "RANDOM_ID_DUPLICATE"), (400, "MESSAGE_NOT_MODIFIED")],
    Fault.PASSING: [
        (420, "FLOOD_WAIT_5"),
        (420, "FLOOD_PREMIUM_WAIT_5"),
        (420, "SLOWMODE_WAIT_5"),
        (420, "SOMETHING_ELSE"),
        (400, "SLOWMODE_WAIT_5"),
        (500, "INTERNAL"),
        (500, "No workers running"),
        (503, "Timeout"),
        (-503, "Timeout"),
        (-500, "No workers running"),
        (-429, "WHATEVER"),
        (599, "WHATEVER"),
        (400, "MSG_WAIT_FAILED"),
        (400, "CONNECTION_NOT_INITED"),
    ],
    Fault.FINAL: [
        (400, "PEER_FLOOD"),
        (400, "INPUT_USER_DEACTIVATED"),
        (400, "NEW_IN_2027"),
        (403, "USER_IS_BLOCKED"),
        (403, "NEW_IN_2027"),
        (404, "METHOD_INVALID"),
        (406, "TOPIC_DELETED"),
        (406, "PRIVACY_PREMIUM_REQUIRED"),
        (406, "CHANNEL_PRIVATE"),
    ],
    Fault.FATAL: [
        (401, "AUTH_KEY_UNREGISTERED"),
        (401, "SESSION_REVOKED"),
        (401, "USER_DEACTIVATED"),
        (401, "USER_DEACTIVATED_BAN"),
        (401, "NEW_IN_2027"),
        (406, "AUTH_KEY_DUPLICATED"),
        (403, "USER_DEACTIVATED_BAN"),
    ],
    Fault.UNKNOWN: [(303, "USER_MIGRATE_4"), (700, "NEW_IN_2027"), (0, ""), (409, "CONFLICT")],
}


@pytest.mark.parametrize(
    ("fault", "number", "word"), [(fault, *answer) for fault, answers in JUDGED.items() for answer in answers]
)
def test_an_answer_is_judged_by_its_name_first_and_then_by_its_code(fault: Fault, number: int, word: str) -> None:
    error = answered(number, word)
    assert classify(error) is fault, (code(error), name(error))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), Fault.PASSING),
        (ConnectionError(), Fault.PASSING),
        (sqlite3.OperationalError("database is locked"), Fault.PASSING),
        (BadMessage(16), Fault.PASSING),
        (BadMessage(33), Fault.PASSING),
        (BadMessage(99), Fault.UNKNOWN),
        (TransportRefused(404), Fault.FATAL),
        (TransportRefused(429), Fault.PASSING),
        (TransportRefused(444), Fault.FATAL),
        (TransportRefused(500), Fault.UNKNOWN),
        (AttributeError("send"), Fault.UNKNOWN),
    ],
)
def test_what_is_no_answer_is_judged_too(error: Exception, fault: Fault) -> None:
    assert classify(error) is fault


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("FLOOD_WAIT_86400", 86400),
        ("FLOOD_PREMIUM_WAIT_7", 7),
        ("SLOWMODE_WAIT_3", 3),
        ("2FA_CONFIRM_WAIT_9", 9),
        ("FLOOD_WAIT_0", 1),
        ("FLOOD_WAIT_99999999999999999999", 30 * 86400),
        ("FLOOD", 30),
    ],
)
def test_a_flood_error_says_how_long_to_wait_and_never_nothing(word: str, seconds: int) -> None:
    assert flood_wait(answered(420, word)) == timedelta(seconds=seconds)


def test_other_errors_say_nothing_of_waiting() -> None:
    assert flood_wait(answered(400, "PEER_FLOOD")) is None
    assert flood_wait(TimeoutError()) is None


def test_an_answer_that_pyrogram_does_not_know_leaves_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert name(answered(406, "TOPIC_DELETED")) == "TOPIC_DELETED"
    assert code(answered(-999, "WHAT")) == -999
    assert list(tmp_path.iterdir()) == []


async def test_a_session_file_that_cant_be_written_costs_no_result(monkeypatch) -> None:
    client = Client("test", 1, "x", in_memory=True)

    async def full(peers: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(client.storage, "update_peers", full)
    assert await client.fetch_peers([types.User(id=2, access_hash=7)]) is False
