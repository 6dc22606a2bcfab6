"""What the talks come to: how many, how varied, and which lines are templates."""

from collections.abc import Sequence

from training.voice.skeletons import distinct, templates
from training.voice.talks import LANGUAGES, Talk

_SHOWN = 5
"""Places of a template."""


def lines(talks: Sequence[Talk]) -> list[str]:
    counted = (line for language in LANGUAGES for line in _counted(language, talks))
    return [*counted, *_templates(talks)]


def _counted(language: str, talks: Sequence[Talk]) -> list[str]:
    exchanges = [exchange for talk in talks if talk.language == language for exchange in talk.exchanges]
    number = sum(talk.language == language for talk in talks)
    words = sum(len(exchange.answer.split()) for exchange in exchanges)
    answers = distinct(exchange.answer for exchange in exchanges)
    both = distinct(text for exchange in exchanges for text in (exchange.question, exchange.answer))
    return [
        f"{language}: {number} talks, {len(exchanges)} exchanges, {words / max(len(exchanges), 1):.1f} words an answer;"
        f" distinct 4-grams: {both:.1%}, of the answers {answers:.1%}"
    ]


def _templates(talks: Sequence[Talk]) -> list[str]:
    found = [(kind, key, places) for kind, keys in templates(talks).items() for key, places in keys.items()]
    said = [
        f"{len(places)} {kind} are «{key}»: {', '.join(places[:_SHOWN])}{', …' if len(places) > _SHOWN else ''}"
        for kind, key, places in found
    ]
    return said or ["no skeleton stands more than three times"]
