"""The least that answers requests on JetStream: nats-py alone, with the product's confirmations and nothing checked.

What benchmarks/messaging.py measures `timokha generate` against: `python bare_function.py NATS_URL REPLY`.
"""

import asyncio
import sys

import nats
from nats.aio.msg import Msg

BATCH = 64
SECOND = 1


async def main(nats_url: str, reply: str) -> None:
    js = (await nats.connect(nats_url)).jetstream()
    pull = await js.pull_subscribe_bind(durable="function", stream="BARE_requests")
    # Or they could be collected while they run.
    tasks: set[asyncio.Task[None]] = set()

    async def answer(request: Msg) -> None:
        await js.publish(f"bare.replies.{request.subject.rsplit('.', 1)[1]}", reply.encode())
        await request.ack_sync()

    while True:
        try:
            fetched = await pull.fetch(BATCH, timeout=SECOND)
        except TimeoutError:
            continue
        for request in fetched:
            task = asyncio.create_task(answer(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
