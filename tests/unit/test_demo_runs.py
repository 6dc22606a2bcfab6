"""The numbers of a demo's messages are new, whatever ran in its directory before."""

import pytest

from cli.demo.runs import FILE, MOST, ROOM, first_id, without_messages
from edge.sandbox.state import SandboxState
from edge.userbot.chat.record import ChatRecord, Notice
from events.errors import SettingsError


def test_each_run_has_its_own_numbers_and_even_the_first_has_none_of_an_older_version(tmp_path):
    assert [first_id(tmp_path) for _ in range(3)] == [ROOM, 2 * ROOM, 3 * ROOM]


@pytest.mark.parametrize("text", ["", "nonsense", "-1", str(MOST), "9" * 5000])
def test_a_count_that_is_none_is_one_line(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SettingsError, match="DEMO_DIRECTORY"):
        first_id(tmp_path)
    assert (tmp_path / FILE).read_text() == text


def test_the_last_run_still_has_numbers_that_telegram_can_have(tmp_path):
    (tmp_path / FILE).write_text(str(MOST - 1))
    assert first_id(tmp_path) + ROOM <= 2**31


def test_a_telegram_begins_after_the_numbers_of_another():
    box = SandboxState(begins_after=ROOM).add_account(first_name="Гость").box
    message = box.add(key=1, peer_id=2, text="раз", out=True, date=0)
    assert message.id == ROOM + 1
    assert box.pts == ROOM + 1
    assert box.since(5) == []


def test_what_went_with_its_telegram_is_dropped_and_the_conversation_stays():
    record = ChatRecord(seen=(1, 2), notices=(Notice(message_id=2, text="раз"),), deleted_to=1)
    assert without_messages(record) == ChatRecord(seen=(1, 2), deleted_to=1)
    rested = ChatRecord(seen=(1,))
    assert without_messages(rested) is rested
