"""What a test must be sure of before another connection publishes."""

from nats.js import JetStreamContext


async def flushed(js: JetStreamContext) -> None:
    """The server has taken all that was asked of this connection, its subscriptions too.

    The client's `flush` alone does not say so: its PING overtakes what still waits in the client's buffer.
    """
    await js._nc._flush_pending(force_flush=True)
    await js._nc.flush()
