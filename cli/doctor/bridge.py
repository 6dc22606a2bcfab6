"""Examine what the bridge's settings mean for the rest of the product."""

from collections.abc import Iterator

from bridge.settings import BridgeSettings, CodecName
from cli.doctor.findings import Finding, note


def examine_codec(bridge: BridgeSettings, *, persona: bool) -> Iterator[Finding]:
    """Name what is lost on the way to workers on RabbitMQ. `persona`: whether one is set, or may be elsewhere."""
    if persona and bridge.outbound and bridge.codec is CodecName.ORIGINAL:
        yield note(
            "bridge: the codec original has no place for USERBOT_PERSONA: model servers on RabbitMQ answer without it;"
            " BRIDGE_CODEC=events, for workers of Timokha, carries it"
        )
