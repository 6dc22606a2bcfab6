"""The numbers of a demo's messages are new, whatever ran in its directory before."""

import pytest

from cli.demo.runs import FILE, IDS_PER_RUN, MAX_RUNS, reserve_message_ids, without_messages
from edge.sandbox.state import SandboxState
from edge.userbot.chat.record import ChatRecord, Notice
from events.errors import SettingsError


def test_each_run_has_its_own_numbers_and_even_the_first_has_none_of_an_older_version(tmp_path):
    assert [reserve_message_ids(tmp_path) for _ in range(3)] == [IDS_PER_RUN, 2 * IDS_PER_RUN, 3 * IDS_PER_RUN]


@pytest.mark.parametrize("text", ["", "nonsense", "-1", str(MAX_RUNS), "9" * 5000])
def test_a_count_that_is_none_is_one_line(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SettingsError, match="DEMO_DIRECTORY"):
        reserve_message_ids(tmp_path)
    assert (tmp_path / FILE).read_text() == text


def test_the_last_run_still_has_numbers_that_telegram_can_have(tmp_path):
    (tmp_path / FILE).write_text(str(MAX_RUNS - 1))
    assert reserve_message_ids(tmp_path) + IDS_PER_RUN <= 2**31


def test_a_telegram_begins_after_the_numbers_of_another():
    box = SandboxState(begins_after=IDS_PER_RUN).add_account(first_name="Гость").box
    message = box.add(key=1, peer_id=2, text="раз", out=True, date=0)
    assert message.id == IDS_PER_RUN + 1
    assert box.pts == IDS_PER_RUN + 1
    assert box.since(5) == []


def test_what_went_with_its_telegram_is_dropped_and_the_conversation_stays():
    record = ChatRecord(seen=(1, 2), notices=(Notice(message_id=2, text="раз"),), deleted_to=1)
    assert without_messages(record) == ChatRecord(seen=(1, 2), deleted_to=1)
    rested = ChatRecord(seen=(1,))
    assert without_messages(rested) is rested
