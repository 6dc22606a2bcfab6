"""What `timokha demo` can be told; what it starts understands its own variables (GENERATE_*, USERBOT_*) as well."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import ProcessSettings


class DemoSettings(ProcessSettings):
    """Embedded NATS, one generate function, the userbot, the sandbox, and a chat in the terminal."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")

    directory: Path | None = Field(
        None,
        description="a directory to keep logs and streams in, of one demo at a time; without it they go with the demo",
    )
    trace: bool = Field(False, description="true or false: show after each answer where its time went")
