"""`/help` is answered as often as the setting says."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.record import ChatRecord
from edge.userbot.chat.transitions import Effect, receive
from edge.userbot.current_rules import rules_of
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def effect(interval: str) -> Effect:
    rules = rules_of(UserbotSettings.read(api_id=1, api_hash="a", help_interval=interval))
    record = ChatRecord(helped_at=NOW - timedelta(seconds=30))
    return receive(record, Incoming("7", "42", 1, "/help", "en", NOW), rules, NOW).effect


def test_it_is_read_and_obeyed() -> None:
    assert (effect("20"), effect("40")) == (Effect.HELPED, Effect.HELP_SUPPRESSED)
    with pytest.raises(SettingsError, match="USERBOT_HELP_INTERVAL"):
        effect("-1")
