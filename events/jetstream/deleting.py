"""Deleting single messages of a stream: that overwrites them in its files, which a purge does not."""

import json

from nats.js import JetStreamContext
from nats.js.errors import APIError

DELETE_FAILED = 10057
NOT_FOUND = 10043
"""What the server says of a message that is gone from between others."""
GONE = {"no message found", "deleted message", "stream store EOF"}
"""What it says of another that is not there, or not any more."""


async def delete(js: JetStreamContext, stream: str, sequence: int, *, overwrite: bool = True) -> bool:
    """Return whether the message was there until now. Raises NatsError.

    Without `overwrite` its bytes stay in the files for a while, and the server takes a tenth of the time.
    """
    request = {"seq": sequence, "no_erase": not overwrite}
    try:
        # nats-py's `delete_msg` always overwrites.
        await js._api_request(
            f"{js._prefix}.STREAM.MSG.DELETE.{stream}", json.dumps(request).encode(), timeout=js._timeout
        )
    except APIError as error:
        if error.err_code == NOT_FOUND or (error.err_code == DELETE_FAILED and error.description in GONE):
            return False
        raise
    return True
