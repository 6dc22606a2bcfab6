"""What a broker refuses: an error ends the channel, or the connection.

Source: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
"""

NAMES = {
    312: "NO_ROUTE",
    320: "CONNECTION_FORCED",
    403: "ACCESS_REFUSED",
    404: "NOT_FOUND",
    405: "RESOURCE_LOCKED",
    406: "PRECONDITION_FAILED",
    501: "FRAME_ERROR",
    502: "SYNTAX_ERROR",
    503: "COMMAND_INVALID",
    504: "CHANNEL_ERROR",
    505: "UNEXPECTED_FRAME",
    506: "RESOURCE_ERROR",
    530: "NOT_ALLOWED",
    540: "NOT_IMPLEMENTED",
    541: "INTERNAL_ERROR",
}


class Fault(Exception):
    """`code` and `text` as the client gets them."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{NAMES[code]} - {text}")
        self.code = code

    @property
    def text(self) -> str:
        return str(self).encode()[:255].decode(errors="ignore")


class ChannelFault(Fault):
    """Closes the channel."""


class ConnectionFault(Fault):
    """Closes the connection."""
