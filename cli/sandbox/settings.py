"""What `timokha sandbox` can be told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import Settings


class SandboxSettings(Settings):
    """A sandbox Telegram."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="the address that it listens on, which should be this machine's alone: anybody can sign in to it",
    )
    port: int = Field(4430, ge=0, le=65535, description="the port there, 0 to 65535; 0: a free one")
    directory: Path = Field(
        Path(".timokha/sandbox"),
        description="a directory for its public key and the userbot's settings and session, of one sandbox at a time",
    )
    signed_in: bool = Field(False, description="true or false: the userbot's session is written, and signed in already")
