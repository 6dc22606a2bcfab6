"""What the userbot says of its own accord, in the languages of those who ask."""

from datetime import datetime

from edge.userbot import phrases
from edge.userbot.owner import phrases as owner_phrases

LOCALES = ("ru", "en")
WHYS = (phrases.DEADLINE, phrases.TOO_LARGE, "", "empty", "rejected")
FAILURES = {phrases.failure(locale, reason) for locale in LOCALES for reason in WHYS}

REFUSALS = {
    phrases.refusal(locale, reason) for locale in LOCALES for reason in (phrases.REFUSED_PERSON, phrases.DAY_LIMIT)
}
UNREADABLE = {phrases.unreadable(locale) for locale in LOCALES}
DELETED = {phrases.deleted(locale, cancelled=cancelled) for locale in LOCALES for cancelled in (True, False)}
FLOODED = phrases.flooded("ru", datetime.max).partition("PEER_FLOOD")[0]
"""How the owner's notice begins."""
NOT_NOW = owner_phrases.not_now("ru", "@").partition("@")[0]
NO_SUCH_CHAT = owner_phrases.no_such_chat("ru", "@").partition("@")[0]
"""How the answer begins to an order whose name Telegram does not let be looked up, and to one that names nobody."""
