"""`timokha health`: report whether the process that keeps TIMOKHA_HEALTH_FILE answers questions now.

Containers call it every few seconds, and `answer_quickly` takes milliseconds: this module imports next to nothing.
"""

import sys

from events.health.reading import HEALTHY, check_health

TYPE_CHECKING = False  # type checkers know the name: importing `typing` takes longer than the answer
if TYPE_CHECKING:
    from events.settings import HealthSettings

LIVE = "TIMOKHA_HEALTH_LIVE"
CONFIG = "TIMOKHA_CONFIG"
LIVE_BY_OPTIONS = {(): False, ("--live",): True}


def answer_quickly(options: list[str], environment: dict[str, str]) -> int | None:
    """Do as `main` does and return the exit code; None if that takes more than `options` and `environment`."""
    live = LIVE_BY_OPTIONS.get(tuple(options))
    file = environment.get("TIMOKHA_HEALTH_FILE")
    if live is None or not file or file.startswith("~") or LIVE in environment or _a_file_names_live(environment):
        return None
    if wrong := check_health(file, live=live):
        sys.stderr.write(f"timokha: {wrong}\n")
        return 1
    sys.stdout.write(f"{HEALTHY[live]}\n")
    return 0


def _a_file_names_live(environment: dict[str, str]) -> bool:
    """Return whether `.env` or `timokha.toml` may set `LIVE`, or `.env` may name another such file."""
    in_dotenv = _settings_in(".env")
    if any(name.encode() in in_dotenv for name in (LIVE, CONFIG)):
        return True
    return b"HEALTH_LIVE" in _settings_in(environment.get(CONFIG) or "timokha.toml")


def _settings_in(file: str) -> bytes:
    """Return the lines of a file that are no comments, in capitals: names may be in any case. Empty without a file."""
    try:
        with open(file, "rb") as opened:
            lines = opened.read().upper().splitlines()
    except OSError:
        return b""
    return b"\n".join(line for line in lines if not line.lstrip().startswith(b"#"))


async def main(settings: "HealthSettings", _telemetry: object, _stop: object) -> None:
    """Print that all is well. Raises TimokhaError if it is not, SettingsError without a file."""
    import click  # noqa: PLC0415 - slow to import

    from events.errors import SettingsError, TimokhaError  # noqa: PLC0415 - likewise

    if settings.health_file is None:
        raise SettingsError("TIMOKHA_HEALTH_FILE is missing: the file in which the process keeps its health")
    if wrong := check_health(str(settings.health_file), live=settings.live):
        raise TimokhaError(wrong)
    click.echo(HEALTHY[settings.live])
