"""What a message consists of: its header and body in bytes, which the broker passes on as it got them."""

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pamqp.commands import Basic
from pamqp.header import ContentHeader

FLAGS = slice(12, 14)
"""Where the header says which properties it has."""
HAS_EXPIRATION = 1 << 8
HAS_DELIVERY_MODE = 1 << 12
PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class Content:
    """`header`: the payload of a content header frame."""

    header: bytes
    body: bytes

    def properties(self) -> Basic.Properties:
        """Return the decoded properties: none if they can't be read."""
        header = ContentHeader()
        try:
            header.unmarshal(self.header)
        except (ValueError, struct.error):
            return Basic.Properties()
        return header.properties

    def has(self, flag: int) -> bool:
        return bool(int.from_bytes(self.header[FLAGS], "big") & flag)

    @property
    def persistent(self) -> bool:
        return self.has(HAS_DELIVERY_MODE) and self.properties().delivery_mode == PERSISTENT

    @property
    def expiration(self) -> int | None:
        """Milliseconds. Raises ValueError."""
        return int(self.properties().expiration or "") if self.has(HAS_EXPIRATION) else None

    def with_headers(self, more: Mapping[str, Any]) -> "Content":
        """Return the content with further headers."""
        properties = self.properties()
        properties.headers = {**(properties.headers or {}), **more}
        return self._with(properties)

    def dead(self, queue: str, reason: str, exchange: str, routing_key: str) -> "Content":
        """Return the content as a dead letter of `queue`.

        Source: https://www.rabbitmq.com/docs/dlx#effects
        """
        properties = self.properties()
        headers = dict(properties.headers or {})
        deaths = [entry for entry in headers.get("x-death", ()) if isinstance(entry, dict)]
        known = next((entry for entry in deaths if (entry["queue"], entry["reason"]) == (queue, reason)), None)
        entry = known or {
            "reason": reason,
            "queue": queue,
            "time": datetime.fromtimestamp(int(asyncio.get_running_loop().time()), UTC),
            "exchange": exchange,
            "routing-keys": [routing_key],
        }
        if properties.expiration:
            entry = {"original-expiration": properties.expiration, **entry}
            properties.expiration = None
        latest = {**entry, "count": entry.get("count", 0) + 1}
        properties.headers = {
            **headers,
            "x-death": [latest, *[entry for entry in deaths if entry is not known]],
            **{
                f"x-{which}-death-{name}": value
                for which in (("last",) if "x-first-death-reason" in headers else ("first", "last"))
                for name, value in (("exchange", exchange), ("queue", queue), ("reason", reason))
            },
        }
        return self._with(properties)

    def _with(self, properties: Basic.Properties) -> "Content":
        return replace(self, header=ContentHeader(body_size=len(self.body), properties=properties).marshal())
