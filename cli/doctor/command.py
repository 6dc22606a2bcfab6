"""`timokha doctor`: examine the parts that run here, and print the findings."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from bridge.settings import BridgeSettings
from cli.doctor.bridge import examine_codec
from cli.doctor.findings import Finding, Level, notes_on_other_parts, ok, wrong
from cli.doctor.model import examine_model
from cli.doctor.nats import examine_nats
from cli.doctor.rabbitmq import examine_rabbitmq
from cli.doctor.telegram import examine_business, examine_clock, examine_session
from cli.settings import DoctorSettings
from edge.business.settings import BusinessSettings
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError, TimokhaError
from events.extras import image
from events.runtime.clock import SystemClock
from events.settings import ProcessSettings
from functions.generate.settings import GenerateSettings

S = TypeVar("S", bound=ProcessSettings)


class CheckFailed(TimokhaError):
    """At least one finding is wrong; it has been printed."""


async def main(settings: DoctorSettings, _telemetry: object, _stop: asyncio.Event) -> None:
    """Print the findings. Raises CheckFailed if anything is wrong."""
    findings = await examine(settings)
    for finding in findings:
        click.echo(finding)
    faults = sum(finding.level is Level.WRONG for finding in findings)
    if faults:
        raise CheckFailed(f"{faults} of the {len(findings)} lines above say what to fix")


async def examine(settings: DoctorSettings) -> list[Finding]:
    """Examine each part that runs here and what it needs; add a note for each part that runs elsewhere."""
    parts = settings.parts.split(",")
    findings = await examine_nats(settings, SystemClock())
    if "bridge" in parts:
        findings += await _examine_bridge(settings)
    elif "rabbitmq_url" in settings.model_fields_set:
        findings += await examine_rabbitmq(settings.rabbitmq_url)
    if "generate" in parts:
        findings += _examine_part("generate", GenerateSettings, lambda chosen: [examine_model(chosen)])
    if "userbot" in parts:
        findings += _examine_part("userbot", UserbotSettings, examine_session)
    if "business" in parts:
        findings += _examine_part("business", BusinessSettings, examine_business)
    if {"userbot", "business"} & {*parts}:
        findings += await examine_clock(SystemClock())
    return [*findings, *notes_on_other_parts(parts, image())]


async def _examine_bridge(settings: DoctorSettings) -> list[Finding]:
    """Examine the bridge's settings, and RabbitMQ even if they are bad."""
    try:
        chosen = BridgeSettings.read()
    except SettingsError:
        chosen = None
    return [
        *await examine_rabbitmq(settings.rabbitmq_url, chosen),
        *_examine_part(
            "bridge", BridgeSettings, lambda bridge: examine_codec(bridge, persona=_may_have_persona(settings))
        ),
    ]


def _may_have_persona(settings: DoctorSettings) -> bool:
    if settings.persona or image():  # in an image only the userbot's container knows
        return True
    try:
        return any(contact.persona for contact in UserbotSettings.read().contacts.values())
    except SettingsError:
        return False


def _examine_part(name: str, settings: type[S], examine: Callable[[S], Iterable[Finding]]) -> list[Finding]:
    try:
        chosen = settings.read()
    except SettingsError as error:
        return [wrong(f"settings of `timokha {name}`: {error}")]
    return [ok(f"settings of `timokha {name}`"), *examine(chosen)]
