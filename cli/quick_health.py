"""`timokha health` without what other commands need: containers are asked often, and this takes milliseconds."""

import sys

from events.health.reading import HEALTHY, check_health

ASKED = {(): False, ("--live",): True}


def answered(options: list[str], environment: dict[str, str]) -> int | None:
    """Say how it is, as `cli.health` does; return the exit code, None if `options` or `.env` say more."""
    live = ASKED.get(tuple(options))
    file = environment.get("TIMOKHA_HEALTH_FILE")
    if live is None or not file or file.startswith("~") or "TIMOKHA_HEALTH_LIVE" in environment:
        return None
    if wrong := check_health(file, live=live):
        sys.stderr.write(f"timokha: {wrong}\n")
        return 1
    sys.stdout.write(f"{HEALTHY[live]}\n")
    return 0
