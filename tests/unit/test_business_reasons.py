"""What a person is told about a refusal of Telegram's."""

import pytest

from edge.business.phrases import refusal
from edge.business.reasons import Reason, reason_of
from edge.userbot.owner.orders import parse_order


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_each_reason_has_a_text_of_its_own_which_is_no_order(locale) -> None:
    texts = {refusal(locale, reason) for reason in Reason}
    assert len(texts) == len(Reason)
    for text in texts:
        assert parse_order(text) is None
        assert text[0] not in "+-/"
        assert "{" not in text


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ("BUSINESS_PEER_INVALID", Reason.OUTSIDE),
        ("BUSINESS_PEER_USAGE_MISSING", Reason.TOO_LATE),
        ("BUSINESS_CONNECTION_INVALID", Reason.ENDED),
        ("BUSINESS_CONNECTION_NOT_ALLOWED", Reason.NOT_FOR_BUSINESS),
        ("BOT_METHOD_INVALID", Reason.NOT_FOR_BUSINESS),
        ("BOT_ACCESS_FORBIDDEN", Reason.NO_RIGHT),
        ("PEER_ID_INVALID", Reason.UNKNOWN_PERSON),
        ("USER_IS_BLOCKED", Reason.BLOCKED),
        ("PEER_FLOOD", None),
        ("MESSAGE_TOO_LONG", None),
    ],
)
def test_a_refusal_means_something_to_the_person_if_they_can_change_it(refused, reason) -> None:
    assert reason_of(refused) is reason


def test_deleting_takes_another_right_than_answering() -> None:
    assert reason_of("BOT_ACCESS_FORBIDDEN", deletes=True) is Reason.NO_RIGHT_TO_DELETE
    assert reason_of("BUSINESS_PEER_INVALID", deletes=True) is Reason.OUTSIDE
