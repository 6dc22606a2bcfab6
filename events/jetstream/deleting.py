"""Deleting single messages of a stream: that overwrites them in its files, which a purge does not."""

from nats.js import JetStreamContext
from nats.js.errors import APIError

DELETE_FAILED = 10057
GONE = {"no message found", "deleted message", "stream store EOF"}
"""What the server says of a message that is not there, or not any more."""


async def delete(js: JetStreamContext, stream: str, sequence: int) -> bool:
    """Return whether the message was there until now. Raises NatsError."""
    try:
        await js.delete_msg(stream, sequence)
    except APIError as error:
        if error.err_code == DELETE_FAILED and error.description in GONE:
            return False
        raise
    return True
