"""What `timokha sandbox` can be told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import Settings


class SandboxSettings(Settings):
    """A sandbox Telegram on loopback."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    port: int = Field(4430, ge=0, le=65535, description="the port on 127.0.0.1, 0 to 65535; 0: a free one")
    directory: Path = Field(
        Path(".timokha/sandbox"),
        description="a directory for its public key and the userbot's settings and session, of one sandbox at a time",
    )
