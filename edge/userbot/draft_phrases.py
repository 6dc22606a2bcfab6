"""The lines of drafts, and those that answer the owner's decisions, in the owner's language.

Every text begins with a word of ours: in the owner's chat a message that starts with `/` is a command.
"""

from edge.userbot.texts.installed import say


def draft_head(locale: str, *, asker: str, question: str, failed: bool) -> str:
    """Return who asks what, the first line of a draft. `failed`: there is no answer, only the line that says so."""
    line = "draft-failed" if failed else "draft"
    return say(locale, line, asker=asker, question=question)


def draft_more(locale: str, number: int, total: int) -> str:
    """Return the first line of a draft's message `number`, above 1, of `total`."""
    return say(locale, "draft-more", number=str(number), total=str(total))


def how_to_decide(locale: str) -> str:
    """Return the last line of a draft."""
    return say(locale, "draft-how")


def send_label(locale: str) -> str:
    """Return what the button says that approves a draft."""
    return say(locale, "draft-send-label")


def drop_label(locale: str) -> str:
    """Return what the button says that rejects a draft."""
    return say(locale, "draft-drop-label")


def sent(locale: str, asker: str) -> str:
    return say(locale, "draft-sent", asker=asker)


def replaced(locale: str, asker: str) -> str:
    """Return that the owner's text is sent in place of the draft."""
    return say(locale, "draft-replaced", asker=asker)


def rejected(locale: str, asker: str) -> str:
    return say(locale, "draft-rejected", asker=asker)


def over(locale: str) -> str:
    """Return that the draft no longer waits for a decision."""
    return say(locale, "draft-over")


def unclear(locale: str) -> str:
    """Return how to decide, after a reply that is no decision."""
    return say(locale, "draft-unclear")
