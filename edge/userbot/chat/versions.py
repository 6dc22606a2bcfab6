"""What an older version must not read: a record with a higher schema number than it knows.

Without it the older version would drop the fields that it does not know, as soon as it saves. A record of versions that
wrote no number has `EARLIER`.
"""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import TimokhaError

EARLIER = 0


class UnreadableRecord(TimokhaError):
    """A stored record is not one that this version can read; `version` is that of the store, if it is known."""

    version = 0


class _Numbered(BaseModel):
    model_config = ConfigDict(extra="ignore")

    number: int = Field(default=EARLIER, alias="schema")


def schema_of(value: bytes, *, known: int, what: str) -> int:
    """Return the schema number of a stored record, `EARLIER` if it has none or is no record at all.

    Raises UnreadableRecord if this version knows only `known` and lower ones.
    """
    try:
        number = _Numbered.model_validate_json(value).number
    except ValidationError:
        return EARLIER
    if number > known:
        raise UnreadableRecord(
            f"{what} was written by a newer version of Timokha (schema {number}, this version knows {known}): run that"
            " version"
        )
    return number


def numbered(json: str, number: int) -> bytes:
    """Return the JSON object with its schema number."""
    return f'{{"schema":{number},{json.removeprefix("{")}'.encode()
