"""The name of a speaker, who says a turn in a group, as it may travel and be shown to a model."""

from unicodedata import category

MAX_SPEAKER = 64
"""Characters."""
_UNSEEN = {"Cf", "Cs"}
"""Unicode categories: format characters, e.g. those that turn the direction of text, and halves of a pair."""


def speaker_name(text: str) -> str:
    """Return `text` in one line, without control and format characters, in at most `MAX_SPEAKER` characters."""
    spaced = "".join(" " if category(char) == "Cc" else char for char in text if category(char) not in _UNSEEN)
    return " ".join(spaced.split())[:MAX_SPEAKER].rstrip()
