"""Make the content of `serving.json` from a model's tokenizer, without torch and transformers."""

from collections.abc import Collection
from typing import Any

from events.runtime.clock import Clock
from functions.generate.engines.gguf.tokenizer import GGUFTokenizer
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.models.card import ModelCard
from functions.generate.prompts.formats import FIRST_SPEAKER, FormatName
from functions.generate.prompts.templates import ChatTemplate


def describe_gguf_model(card: ModelCard, tokenizer: GGUFTokenizer, *, context: int, clock: Clock) -> ServingInfo:
    """Describe the model of a GGUF file. Raises SettingsError, one line, if its chat template can't be followed."""
    raw, special = tokenizer.raw, dict(tokenizer.special_tokens)
    form = card.prompt_format(
        lambda: _template(tokenizer, clock), prompt_tokens=0
    )  # its end is asked for, and no examples
    numbers = {name: int(raw.token_to_id(token)) for name, token in special.items()}
    return ServingInfo(
        card=card,
        context=context,
        ends=end_token_ids(raw, form.end, tokenizer.ends),
        bos_token_id=numbers.get("bos_token"),
        special_ids=tuple(dict.fromkeys(numbers.values())),
        special_tokens=special,
        chat_template=tokenizer.chat_template,
    )


def guess_card(name: str, *, vocabulary: Collection[str], chat_template: Any) -> ModelCard:
    """Return a card for a model that has none."""
    if FIRST_SPEAKER in vocabulary:
        return ModelCard(name=name, format=FormatName.RUDIALOGPT)
    if chat_template:
        return ModelCard(name=name, format=FormatName.CHAT)
    return ModelCard(name=name, format=FormatName.DIALOGUE, preamble=True)


def end_token_ids(raw: Any, end: str, own: Collection[int]) -> tuple[int, ...]:
    """Return the tokens that end an answer: the model's `own`, and all whose text contains a format's `end`."""
    alone = raw.encode(end, add_special_tokens=False).ids
    tokens = list(raw.get_vocab().values())
    texts = raw.decode_batch([[token] for token in tokens], skip_special_tokens=False)
    writing = (token for token, text in zip(tokens, texts, strict=True) if end in text)
    return tuple(sorted({*own, *writing, *(alone if len(alone) == 1 else [])}))


def _template(tokenizer: GGUFTokenizer, clock: Clock) -> ChatTemplate | None:
    if not tokenizer.chat_template:
        return None
    controls = [str(token.content) for token in tokenizer.raw.get_added_tokens_decoder().values()]
    return ChatTemplate(tokenizer.chat_template, tokenizer.special_tokens, controls=controls, clock=clock)
