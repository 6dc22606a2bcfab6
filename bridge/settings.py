"""Settings of `timokha bridge`."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from events import subjects
from events.settings import RabbitMQSettings, Seconds, ServiceSettings
from events.transport import Channel


class Direction(StrEnum):
    OUT = "out"
    IN = "in"
    BOTH = "both"


class CodecName(StrEnum):
    EVENTS = "events"
    ORIGINAL = "original"


DEFAULT_QUEUES = {
    CodecName.EVENTS: subjects.destination(Channel.REQUESTS),
    CodecName.ORIGINAL: "rpc_queue",
}


class BridgeSettings(ServiceSettings, RabbitMQSettings):
    """Direction and codec of a bridge, its queues and limits."""

    model_config = SettingsConfigDict(env_prefix="BRIDGE_")

    direction: Direction = Field(
        Direction.OUT, description="out (workers on RabbitMQ), in (requesters on RabbitMQ) or both"
    )
    codec: CodecName = Field(CodecName.EVENTS, description="events or original")
    request_queue: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="the RabbitMQ queue, if the direction is in or out; by default timokha.requests, or rpc_queue with "
        "the codec original",
    )
    in_queue: str | None = Field(
        None, min_length=1, max_length=255, description="the RabbitMQ queue of requesters, if the direction is both"
    )
    out_queue: str | None = Field(
        None, min_length=1, max_length=255, description="the RabbitMQ queue of workers, if the direction is both"
    )
    prefetch: int = Field(1, ge=1, le=1024, description="requests in flight for each consumer on RabbitMQ, 1 to 1024")
    attempts: int = Field(5, ge=1, le=1000, description="deliveries before a request is a dead letter, 1 to 1000")
    deadline: Seconds = Field(
        timedelta(seconds=120), gt=timedelta(0), description="seconds until a request from RabbitMQ counts as failed"
    )
    grace: Seconds = Field(timedelta(seconds=5), description="seconds to wait for answers at SIGTERM")

    @model_validator(mode="after")
    def _no_loop(self) -> Self:
        if self.direction is Direction.BOTH:
            if not (self.in_queue and self.out_queue):
                raise ValueError("BRIDGE_IN_QUEUE and BRIDGE_OUT_QUEUE are both needed with BRIDGE_DIRECTION=both")
            if self.in_queue == self.out_queue:
                raise ValueError(
                    f"BRIDGE_IN_QUEUE and BRIDGE_OUT_QUEUE: got {self.in_queue!r} twice, which is a loop; "
                    "give requesters and workers a queue each"
                )
        return self

    @property
    def inbound(self) -> str | None:
        """Return the RabbitMQ queue of inbound requests, None if the direction is out."""
        return None if self.direction is Direction.OUT else self.in_queue or self._single

    @property
    def outbound(self) -> str | None:
        """Return the RabbitMQ queue of outbound requests, None if the direction is in."""
        return None if self.direction is Direction.IN else self.out_queue or self._single

    @property
    def _single(self) -> str:
        return self.request_queue or DEFAULT_QUEUES[self.codec]
