"""What `timokha setup` can be told."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import RabbitMQSettings, Seconds


class SetupSettings(RabbitMQSettings):
    """How long and how much is kept, and whose consumers are made beforehand."""

    model_config = SettingsConfigDict(env_prefix="SETUP_")

    accounts: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$",
        description="ids of the Telegram accounts whose consumers are made beforehand, comma-separated",
    )
    max_age: Seconds = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=1),
        description="seconds that requests and replies are kept, 60 or more",
    )
    deadletter_max_age: Seconds = Field(
        timedelta(days=7), ge=timedelta(minutes=1), description="seconds that dead letters are kept, 60 or more"
    )
    max_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="bytes that each of the three streams may take, 1048576 or more",
    )
    replicas: int = Field(
        1, ge=1, le=5, description="copies of every stream and bucket, 1 to 5; more than 1 needs a cluster"
    )
    wait: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds to wait for a broker that can't be reached yet, 0 or more; compose.yaml has 60",
    )
