"""The doctor's look at the Telegram session."""

from collections.abc import Iterator
from importlib.util import find_spec

from edge.doctor.finding import Finding, note, ok, wrong
from edge.userbot.settings import UserbotSettings


def session(settings: UserbotSettings) -> Iterator[Finding]:
    """Whether the userbot can start without a question; Telegram itself is not asked."""
    if find_spec("pyrogram") is None:
        yield wrong("Telegram: pyrogram is not installed: pip install 'timokha[userbot]'")
    elif find_spec("tgcrypto") is None:
        yield note("Telegram: without tgcrypto its encryption is slow: pip install 'timokha[speedups]'")
    yield _file(settings)


def _file(settings: UserbotSettings) -> Finding:
    path = settings.session_file
    if path is None:
        return ok("Telegram session: a session string")
    if not path.exists():
        if settings.bot_token:
            return ok("Telegram session: none yet; the first start signs in with BOT_TOKEN")
        return wrong(f"Telegram session: there is none at {path}; run `timokha userbot` in a terminal once")
    if path.stat().st_mode & 0o077:
        return wrong(f"Telegram session: others may read {path}, the key to your account; run `chmod 600 {path}`")
    return ok(f"Telegram session: {path}, readable by its owner only")
