"""`timokha doctor`: the composition root of the check-up."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from bridge.settings import BridgeSettings
from cli.doctor.findings import Finding, Level, notes_on_other_parts, ok, wrong
from cli.doctor.model import examine_model
from cli.doctor.nats import examine_nats
from cli.doctor.rabbitmq import examine_rabbitmq
from cli.doctor.telegram import examine_clock, examine_session
from cli.settings import DoctorSettings
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError, TimokhaError
from events.extras import image
from events.runtime.clock import SystemClock
from events.settings import ProcessSettings
from functions.generate.settings import GenerateSettings

S = TypeVar("S", bound=ProcessSettings)


class CheckFailed(TimokhaError):
    """Something has to be mended; it has been said what."""


async def main(settings: DoctorSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Raises CheckFailed when anything is wrong."""
    findings = await examine(settings)
    for finding in findings:
        click.echo(finding)
    faults = sum(finding.level is Level.WRONG for finding in findings)
    if faults:
        raise CheckFailed(f"{faults} of {len(findings)} lines above say what to mend")


async def examine(settings: DoctorSettings) -> list[Finding]:
    """Every part that is meant to run here and what it needs, and which parts can't be seen from here."""
    parts = settings.parts.split(",")
    findings = await examine_nats(settings)
    if "bridge" in parts:
        findings += await _bridge(settings)
    elif "rabbitmq_url" in settings.model_fields_set:
        findings += await examine_rabbitmq(settings.rabbitmq_url)
    if "generate" in parts:
        findings += _part("generate", GenerateSettings, lambda chosen: [examine_model(chosen)])
    if "userbot" in parts:
        findings += _part("userbot", UserbotSettings, examine_session)
        findings += await examine_clock(SystemClock())
    return [*findings, *notes_on_other_parts(parts, image())]


async def _bridge(settings: DoctorSettings) -> list[Finding]:
    """RabbitMQ is looked at even if the bridge's settings are bad."""
    try:
        chosen = BridgeSettings.read()
    except SettingsError:
        chosen = None
    return [*await examine_rabbitmq(settings.rabbitmq_url, chosen), *_part("bridge", BridgeSettings, lambda _: ())]


def _part(name: str, settings: type[S], look: Callable[[S], Iterable[Finding]]) -> list[Finding]:
    try:
        chosen = settings.read()
    except SettingsError as error:
        return [wrong(f"settings of `timokha {name}`: {error}")]
    return [ok(f"settings of `timokha {name}`"), *look(chosen)]
