"""Report questions that get no outcome because of the owner."""

from collections.abc import Iterable

import structlog

from edge.userbot.chat.record import Question
from edge.userbot.driving.ports import Ports
from events.ids import RequestId
from observability import names

log = structlog.get_logger(__name__)


def report_dropped(ports: Ports, chat: str, questions: Iterable[Question], outcome: str) -> None:
    """End the questions' traces, and count them."""
    for question in questions:
        now, telemetry = ports.retrying.clock.now(), ports.telemetry
        request_id = RequestId(ports.account, chat, str(question.message_id), question.revision)
        with telemetry.spans.step(names.DROP_QUESTION, request_id, trace=question.trace, since=now):
            telemetry.metrics.record_finished(now - question.asked_at, outcome)
        log.info("question.settled", request_id=str(request_id), outcome=outcome)
