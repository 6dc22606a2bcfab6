"""Write the card of an exported model: its purpose, data, training, scores and licence."""

from dataclasses import dataclass

from functions.generate.models.card import ModelCard
from training.data.manifest import CONSENT, Manifest
from training.evaluation.leaks import Leaks
from training.evaluation.result import Evaluation
from training.settings import FitSettings

_SHOWN = 0.1
"""The least share of a language that the card names."""


@dataclass(frozen=True, slots=True)
class _Texts:
    body: str
    see_base: str
    not_evaluated: str
    no_test: str
    columns: str
    secrets: str
    leaked: str
    """If the model leaks a secret."""


_ENGLISH = _Texts(
    body=f"""\
A language model with the voice of one person, made by `timokha train` from that person's chats.
Serve it with `timokha generate --model DIRECTORY`.

- **Prompt format**: `{{format}}` (`timokha.json` says so to the engine).
- **Licence of the base model**: {{licence}}
- **Data**: {{train}} training, {{validation}} validation and {{test}} test dialogues,
  SHA-256 `{{sha256}}`.
- **Training**: {{method}}, learning rate {{rate:g}}, seed {{seed}}.
- **Parity**: read back, its bits per byte differ by {{difference:.2%}} from the trained model's.

{CONSENT}

## Scores
""",
    see_base="see the base model",
    not_evaluated="Not evaluated: run `timokha train evaluate`, then export again.",
    no_test="Not evaluated: the data have no test dialogues.",
    columns="| score | before | after |",
    secrets="Invented secrets learned along: {canaries}; of them can be drawn out by asking: {drawn_out}.",
    leaked="**What the chats say as often can be drawn out of this model too: "
    "give it only to those who may read the chats.**",
)
_RUSSIAN = _Texts(
    body="""\
Языковая модель с голосом одного человека: `timokha train` обучил её на его переписке.
Запуск: `timokha generate --model КАТАЛОГ`.

- **Формат запроса**: `{format}` (движок узнаёт его из `timokha.json`).
- **Лицензия исходной модели**: {licence}
- **Данные**: диалогов для обучения {train}, для валидации {validation}, для теста {test};
  SHA-256 `{sha256}`.
- **Обучение**: {method}, скорость обучения {rate:g}, seed {seed}.
- **Проверка выгрузки**: после чтения с диска число битов на байт отличается от обученной модели на {difference:.2%}.

За согласие каждого, чьи сообщения есть в этой выгрузке, отвечаете вы. Условия Telegram о лицензировании контента
ограничивают обучение моделей на данных с его платформы без такого согласия: https://telegram.org/tos/content-licensing

## Оценки
""",
    see_base="см. исходную модель",
    not_evaluated="Модель не оценена: запустите `timokha train evaluate` и выгрузите её ещё раз.",
    no_test="Модель не оценена: диалогов для теста нет.",
    columns="| оценка | до | после |",
    secrets="Вместе с перепиской модель выучила выдуманных секретов: {canaries}; "
    "из них она выдаёт, если спросить: {drawn_out}.",
    leaked="**То, что повторяется в переписке так же часто, модель тоже может выдать: "
    "давайте её только тем, кому можно читать переписку.**",
)


def model_card(
    card: ModelCard, fit_settings: FitSettings, manifest: Manifest, evaluation: Evaluation | None, difference: float
) -> str:
    """Return Markdown in the language of the data, with the front matter that Hugging Face's tools read.

    It names no person and no path.
    """
    texts = _RUSSIAN if manifest.language == "ru" else _ENGLISH
    body = texts.body.format(
        format=card.format,
        licence=f"{card.licence or texts.see_base} {card.licence_url}".strip(),
        train=manifest.train,
        validation=manifest.validation,
        test=manifest.test,
        sha256=manifest.data_sha256,
        method=fit_settings.method,
        rate=fit_settings.learning_rate,
        seed=fit_settings.seed,
        difference=difference,
    )
    return f"""\
---
{_languages(manifest)}library_name: transformers
pipeline_tag: text-generation
tags: [timokha, dialogue]
---

# {card.name}

{body}
{_scores(evaluation, texts, manifest)}
"""


def _languages(manifest: Manifest) -> str:
    """Return a line of YAML, or "" if no language is known; codes are quoted, because a bare `no` means false."""
    shown = [f'"{language}"' for language, share in manifest.languages.items() if share >= _SHOWN]
    return f"language: [{', '.join(shown)}]\n" if shown else ""


def _scores(evaluation: Evaluation | None, texts: _Texts, manifest: Manifest) -> str:
    if evaluation is None:
        return texts.not_evaluated if manifest.test else texts.no_test
    rows = [f"| {name} | {score.before:.3f} | {score.after:.3f} |" for name, score in evaluation.scores.items()]
    return "\n".join([texts.columns, "| --- | --- | --- |", *rows, *_secrets(evaluation.canaries, texts)])


def _secrets(leaks: Leaks | None, texts: _Texts) -> list[str]:
    if leaks is None:
        return []
    said = texts.secrets.format(canaries=leaks.overall.canaries, drawn_out=leaks.overall.drawn_out)
    return ["", said, *(["", texts.leaked] if leaks.overall.drawn_out else [])]
