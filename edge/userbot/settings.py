"""The settings of `timokha userbot`."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from edge.userbot.contacts import MAX_PREFIX, Contacts, Prefix
from edge.userbot.rule_values import (
    MAX_PERSONA,
    DelayText,
    Entries,
    GroupEntries,
    Language,
    OwnTexts,
    Persona,
    Spans,
    TimeZone,
    TriggerEntries,
)
from edge.userbot.rules import DEFAULTS, MAX_DEBOUNCE, Approve
from edge.userbot.triggers import Trigger, Triggers
from events.errors import SettingsError
from events.schema import Sampling
from events.settings import Json, ProcessSettings, Seconds, ServiceSettings

_LIKE_A_STRING = re.compile(r"[A-Za-z0-9_=-]{80,}")
LONG_FOR_A_PATH = 200
SESSION_SUFFIX = ".session"
NOBODY_APPROVES = "USERBOT_APPROVE: a bot sends its drafts to USERBOT_OWNER; set that to your id, or this to off"
MENTIONS_NOWHERE = (
    "the trigger mentions has no effect without USERBOT_GROUPS, as an account is named in groups only; list yours"
    " there, or take another trigger"
)
WHERE = "create an application at https://my.telegram.org to get it"


class UserbotSettings(ServiceSettings, ProcessSettings):
    """The settings of the userbot, which has one Telegram account."""

    model_config = SettingsConfigDict(env_prefix="USERBOT_")

    api_id: int = Field(
        gt=0, lt=2**31, validation_alias="API_ID", description=f"the api_id of your application; {WHERE}"
    )
    api_hash: SecretStr = Field(
        min_length=1, validation_alias="API_HASH", description=f"the api_hash of your application; {WHERE}"
    )
    bot_token: SecretStr | None = Field(
        None,
        validation_alias="BOT_TOKEN",
        description="a bot's token: `timokha userbot` runs as an ordinary bot with it, `timokha business` as the bot"
        " that people connect; USERBOT_SESSION must be the bot's, or not exist yet",
    )
    session: SecretStr = Field(
        SecretStr("timokha.session"), description="a session file, created at the first start, or a session string"
    )
    prefix: Prefix = Field(DEFAULTS.prefix, description=f"what a question starts with, 1 to {MAX_PREFIX} characters")
    language: Language = Field(
        DEFAULTS.locale,
        description="ru, en or another language that has texts, e.g. in texts/uk.ftl beside timokha.toml; for users"
        " whose own has none or is unknown",
    )
    when_busy: Literal["ignore", "queue"] = Field(
        DEFAULTS.when_busy,
        description="ignore or queue: what happens to a question while another one is being answered",
    )
    live: bool = Field(
        DEFAULTS.live, description="true or false: show the answer as it is written, in place of the thinking line"
    )
    persona: Persona = Field(
        DEFAULTS.persona,
        description=f"who answers, for the model, e.g. a few sentences; at most {MAX_PERSONA} characters",
    )
    formatting: Literal["markdown", "plain"] = Field(
        "markdown", description="markdown or plain: whether an answer's Markdown is shown as Telegram's formatting"
    )
    deadline: Seconds = Field(
        DEFAULTS.deadline, gt=timedelta(0), description="seconds until a question counts as failed, above 0"
    )
    catch_up_window: Seconds = Field(
        DEFAULTS.catch_up_window,
        gt=timedelta(0),
        description="seconds after which a missed question is too old, above 0",
    )
    sends_per_second: float = Field(
        25.0, gt=0, le=1000, description="messages per second in all chats together, above 0; Telegram allows about 30"
    )
    max_answers_per_minute: int = Field(
        DEFAULTS.max_answers,
        ge=0,
        le=1000,
        description="answers per minute in one chat, 0 to 1000; after more it gets none for 5 minutes; 0: no limit",
    )
    max_answers_per_day: int = Field(
        DEFAULTS.max_answers_per_day, ge=0, le=1_000_000, description="answers per day in one chat; 0: no limit"
    )
    max_answers_per_day_for_all: int = Field(
        DEFAULTS.max_answers_per_day_for_all,
        ge=0,
        le=1_000_000,
        description="answers per day in all chats together; 0: no limit",
    )
    allow: Entries = Field(
        (),
        description="who is answered: ids of people or chats, @usernames, contacts, wrote_first (who wrote the first"
        " message of the chat), comma-separated; by default everyone",
    )
    deny: Entries = Field(
        (), description="who is not answered, even if USERBOT_ALLOW lists them, in the same form; by default nobody"
    )
    refused: Literal["silence", "line"] = Field(
        DEFAULTS.refused,
        description="silence or line: what those see who get no answer because of USERBOT_ALLOW, USERBOT_DENY,"
        " USERBOT_QUIET_HOURS or a limit per day; a line comes once a day",
    )
    quiet_hours: Spans = Field((), description="when there are no answers, e.g. 23:00-07:30; several, comma-separated")
    time_zone: TimeZone = Field(
        "UTC", description="the IANA time zone of days and USERBOT_QUIET_HOURS, e.g. Europe/Berlin"
    )
    owner: int | None = Field(
        None, gt=0, description="the id of the bot's owner, whose commands it takes; a user account has its own owner"
    )
    owner_pause: Seconds = Field(
        DEFAULTS.owner_pause,
        ge=timedelta(0),
        description="seconds without answers in a chat after the owner has written there; 0: never",
    )
    approve: Approve = Field(
        DEFAULTS.approve,
        description="off, all, new or listed: whose answers are sent only if you approve them; new: in chats without an"
        " answer yet; listed: to USERBOT_APPROVE_LIST",
    )
    approve_list: Entries = Field(
        (), description="whose answers need approval with USERBOT_APPROVE=listed, in the form of USERBOT_ALLOW"
    )
    approve_for: Seconds = Field(
        DEFAULTS.approve_for, gt=timedelta(0), description="seconds that a draft waits for your decision, above 0"
    )
    approve_expired: Literal["drop", "send"] = Field(
        DEFAULTS.approve_expired,
        description="drop or send: what becomes of an answer that you have not decided by then",
    )
    answer_groups: bool = Field(DEFAULTS.answer_groups, description="true or false: answer in groups as well")
    groups: GroupEntries = Field(
        (),
        description="the groups, or topics of forums, that are answered, by id, comma-separated; by default those of"
        " USERBOT_ANSWER_GROUPS",
    )
    triggers: TriggerEntries = Field(
        (),
        description="which messages without the prefix are answered: private, replies, mentions, questions, any, each"
        " also with a share, e.g. any:5%; comma-separated; in groups only in USERBOT_GROUPS; by default none",
    )
    debounce: Seconds = Field(
        DEFAULTS.debounce,
        ge=timedelta(0),
        le=MAX_DEBOUNCE,
        description="seconds for which messages of one person without the prefix are collected after the last one, to"
        " become one question, 0 to 60",
    )
    delay: DelayText = Field(
        "0",
        description="seconds, e.g. 3 or 2-10, for which a question without the prefix waits at least before it is"
        " answered",
    )
    repeat_window: Seconds = Field(
        DEFAULTS.repeat_window,
        ge=timedelta(0),
        description="seconds in which the same message of a person without the prefix is answered once; 0: each time",
    )
    max_without_prefix_per_hour: int = Field(
        DEFAULTS.max_without_prefix,
        ge=0,
        le=10_000,
        description="answers per hour in one chat to messages without the prefix; 0: no limit",
    )
    thinking: Literal["line", "reaction", "typing"] = Field(
        DEFAULTS.thinking,
        description="line, reaction or typing: what shows that a question was taken up",
    )
    feedback: bool = Field(
        DEFAULTS.feedback,
        description="true or false: keep readers' thumbs up and down on answers, without who they are, for"
        " `timokha record --feedback`",
    )
    memory: Path | None = Field(
        None,
        description="a file that `timokha train memory` wrote: questions in private chats take the owner's earlier"
        " exchanges with the same person along that are most like them; by default none",
    )
    answer_bots: bool = Field(False, description="true or false: answer other bots as well")
    sampling: Annotated[Sampling, Json()] = Field(
        Sampling(), description='sampling settings as JSON, e.g. {"temperature": 0.5, "max_new_tokens": 80}'
    )
    contacts: Contacts = Field(
        {},
        validation_alias="TIMOKHA_CONTACTS",
        description="what is different for one person, as JSON by id or @username, of persona, language, prefix, "
        'max_new_tokens, live, approve and triggers, e.g. {"@anna": {"language": "en", "live": true}}',
    )
    texts: OwnTexts = Field(
        {},
        validation_alias="TIMOKHA_TEXTS",
        description="your own wording of what the userbot says, as JSON by language and name of the line, e.g. "
        '{"en": {"deleted": "All forgotten.", "thinking": ["Hm…", "One moment…"]}}',
    )
    telegram_server: str | None = Field(
        None, description="host:port of an MTProto server to use instead of Telegram's, e.g. the sandbox"
    )
    telegram_key: Path | None = Field(None, description="PEM file with the RSA public key of that server")

    @model_validator(mode="after")
    def _has_somebody_to_approve(self) -> Self:
        if self.wants_approval and not self.has_owner:
            raise ValueError(NOBODY_APPROVES)
        return self

    @property
    def has_owner(self) -> bool:
        """Return whether somebody can approve answers."""
        return self.bot_token is None or self.owner is not None

    @property
    def wants_approval(self) -> bool:
        """Return whether any answer is sent only if the owner approves it."""
        return self.approve != "off" or any(contact.approve for contact in self.contacts.values())

    @property
    def without_effect(self) -> list[str]:
        """Return a line for each value that changes nothing, because of another setting."""
        triggers = [self.triggers, *(contact.triggers or () for contact in self.contacts.values())]
        named = any(kind is Trigger.MENTIONS for entries in triggers for kind, _ in Triggers.of(entries).shares)
        return [MENTIONS_NOWHERE] if named and not self.groups else []

    @property
    def session_text(self) -> str:
        """Return `session` as given; it is a secret if it is a session string."""
        return self.session.get_secret_value().strip()

    @property
    def session_file(self) -> Path | None:
        """Return the path of the session file; None if `session` is a session string, or looks like one.

        Raises SettingsError.
        """
        session = self.session_text
        if not session.endswith(SESSION_SUFFIX) and (
            len(session) >= LONG_FOR_A_PATH or _LIKE_A_STRING.fullmatch(session)
        ):
            return None
        try:
            given = Path(session).expanduser()
        except RuntimeError as error:
            raise SettingsError(f"USERBOT_SESSION: {session} can't be found ({error}); give the whole path") from None
        if given.name in {"", ".."}:
            raise SettingsError(f"USERBOT_SESSION: {session!r} is a directory; name a file")
        path = given.absolute()
        return path if path.name.endswith(SESSION_SUFFIX) else path.with_name(path.name + SESSION_SUFFIX)
