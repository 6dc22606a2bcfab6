"""The settings of `timokha business`: those of the userbot, for a bot that people connect to their accounts."""

from pydantic import Field, SecretStr

from edge.userbot.settings import UserbotSettings


class BusinessSettings(UserbotSettings):
    """The settings of the business edge. Its rules are those of every connected person."""

    bot_token: SecretStr = Field(
        validation_alias="BOT_TOKEN",
        description="the token of a bot whose Business Mode is turned on; @BotFather gives it",
    )
    session: SecretStr = Field(
        SecretStr("timokha-business.session"), description="the bot's session file, created at the first start"
    )
    check: bool = Field(
        False,
        validation_alias="BUSINESS_CHECK",
        description="true or false: test with a person, step by step, if Telegram behaves as assumed; answer nobody",
    )

    @property
    def has_owner(self) -> bool:
        """Return whether somebody approves answers: each person does, of their own chats."""
        return True
