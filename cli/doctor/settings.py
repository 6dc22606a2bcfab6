"""What `timokha doctor` can be told; what it looks at is told by the variables of the parts."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import RabbitMQSettings


class DoctorSettings(RabbitMQSettings):
    """Which parts are meant to run here."""

    model_config = SettingsConfigDict(env_prefix="DOCTOR_")

    parts: str = Field(
        "userbot,generate",
        pattern="^(none|(userbot|generate|bridge)(,(userbot|generate|bridge))*)$",
        description="the parts that run on this machine: userbot, generate, bridge, comma-separated, or none",
    )
