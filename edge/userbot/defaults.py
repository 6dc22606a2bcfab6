"""What holds unless the owner says otherwise, for settings that are read without the userbot's packages too."""

DEFAULT_PREFIX = "Тимоха,"
DEFAULT_MAX_ANSWERS = 20
