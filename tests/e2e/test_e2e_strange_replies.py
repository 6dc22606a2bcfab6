"""A reply that anybody has put into NATS wrongly: its question fails in one line, and only it."""

import asyncio
from datetime import UTC, datetime

from edge.userbot import phrases
from events import subjects
from events.event import NATS_PREFIX, Event, to_headers
from events.ids import RequestId
from events.jetstream.connection import connect
from events.jetstream.log import JetStreamLog
from events.schema import FailureReason, FinishReason, GenerationCompleted
from events.transport import Channel


async def test_a_reply_that_names_another_question_fails_its_own_at_once(make_product) -> None:
    product = await make_product()
    await product.kill("generate")
    visitor = product.visitor()
    question = product.says(visitor, "Тимоха, привет")
    request_id = RequestId(str(product.owner.id), str(visitor.id), str(question.id))
    async with connect(product.nats.url, name="test") as js:
        async with asyncio.timeout(20):
            while await JetStreamLog(js).find(Channel.REQUESTS, request_id) is None:  # noqa: ASYNC110 - a stream
                await asyncio.sleep(0.02)
        data = GenerationCompleted(request_id=request_id, text="да", finish_reason=FinishReason.STOP, model="m")
        headers = to_headers(Event.of(data, source="/test", time=datetime.now(UTC)), NATS_PREFIX)
        await js.publish(
            subjects.subject(Channel.REPLIES, request_id),
            data.model_dump_json().encode(),
            headers={**headers, "ce-subject": "1.2.3.0"},
        )
        await product.until(lambda: product.answers(visitor))
        await product.free(visitor)
    assert product.answers(visitor) == [phrases.failure("ru", FailureReason.MALFORMED)]
    assert product.log("userbot").count("reply.malformed") == 1
    await product.start("generate")
    product.says(visitor, "Тимоха, а теперь?")
    await product.until(lambda: len(product.answers(visitor)) == 2)
    assert product.answers(visitor)[1] == "а теперь?"
