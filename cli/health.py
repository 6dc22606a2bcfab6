"""`timokha health`: report whether the process that keeps TIMOKHA_HEALTH_FILE answers questions now.

Containers call it every few seconds, and `answer_quickly` takes milliseconds: this module imports next to nothing.
"""

import sys

from events.health.reading import HEALTHY, check_health

TYPE_CHECKING = False  # type checkers know the name: importing `typing` takes longer than the answer
if TYPE_CHECKING:
    from events.settings import HealthSettings

LIVE = "TIMOKHA_HEALTH_LIVE"
LIVE_BY_OPTIONS = {(): False, ("--live",): True}


def answer_quickly(options: list[str], environment: dict[str, str]) -> int | None:
    """Do as `main` does and return the exit code; None if that takes more than `options` and `environment`."""
    live = LIVE_BY_OPTIONS.get(tuple(options))
    file = environment.get("TIMOKHA_HEALTH_FILE")
    if live is None or not file or file.startswith("~") or LIVE in environment or _dotenv_names_live():
        return None
    if wrong := check_health(file, live=live):
        sys.stderr.write(f"timokha: {wrong}\n")
        return 1
    sys.stdout.write(f"{HEALTHY[live]}\n")
    return 0


def _dotenv_names_live() -> bool:
    """Return whether `.env` may set `LIVE`. Names there may be in any case; `.env.example` has it in a comment."""
    try:
        with open(".env", "rb") as file:
            lines = file.read().upper().splitlines()
    except OSError:
        return False
    return any(LIVE.encode() in line and not line.lstrip().startswith(b"#") for line in lines)


async def main(settings: "HealthSettings", _telemetry: object, _stop: object) -> None:
    """Print that all is well. Raises TimokhaError if it is not, SettingsError without a file."""
    import click  # noqa: PLC0415 - slow to import

    from events.errors import SettingsError, TimokhaError  # noqa: PLC0415 - likewise

    if settings.health_file is None:
        raise SettingsError("TIMOKHA_HEALTH_FILE is missing: the file in which the process keeps its health")
    if wrong := check_health(str(settings.health_file), live=settings.live):
        raise TimokhaError(wrong)
    click.echo(HEALTHY[settings.live])
