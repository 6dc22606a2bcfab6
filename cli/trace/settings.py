"""What `timokha trace` can be told."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from events.settings import Positional, Settings


class TraceSettings(Settings):
    """Reads the spans that processes with the same TIMOKHA_TRACE_FILE have written."""

    model_config = SettingsConfigDict(env_prefix="TRACE_")

    id: Annotated[str | None, Positional()] = Field(None, description="a request id, or the start of a trace id")
    last: bool = Field(False, description="true or false: the newest trace")
