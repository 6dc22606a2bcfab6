"""What the userbot says of its own accord, in the languages of those who ask."""

from edge.userbot import phrases

LOCALES = ("ru", "en")
FAILURES = {phrases.failure(locale, reason) for locale in LOCALES for reason in (phrases.DEADLINE, "", "empty")}

REFUSALS = {
    phrases.refusal(locale, reason) for locale in LOCALES for reason in (phrases.REFUSED_PERSON, phrases.DAY_LIMIT)
}
UNREADABLE = {phrases.unreadable(locale) for locale in LOCALES}
DELETED = {phrases.deleted(locale, cancelled=cancelled) for locale in LOCALES for cancelled in (True, False)}
