"""Build the request for a question from the chat record: within limits, and always the same one."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from edge.userbot.chat.record import ChatRecord, Current
from events.ids import RequestId
from events.schema import Exchange, GenerationRequested, Role, Sampling, Turn

MAX_BYTES = 200_000
"""UTF-8 of all turns. JetStream accepts 1 MiB a message, escapes and headers included."""
MAX_TOKENS = 1500
"""An estimate that leaves room for a reply in the 2,048 positions of the original's model."""
MAX_MEMORY_CHARS = 1200
"""Of the earlier exchanges that join a question, together."""
CHARS_PER_TOKEN = 3
TOKENS_PER_TURN = 4
"""Estimates on the safe side for Russian and English; only the worker has the tokenizer."""


def build_request(
    record: ChatRecord,
    current: Current,
    account: str,
    chat: str,
    sampling: Sampling,
    *,
    max_bytes: int = MAX_BYTES,
    max_tokens: int = MAX_TOKENS,
    memory: Sequence[Exchange] = (),
) -> GenerationRequested:
    """Return the request for `current`.

    Its turns are as many of the last `context_length` messages of the history as fit beside the persona, and the
    question, of which the start is cut off if it alone does not fit. The persona costs history but never any of the
    question: if both together are too long, the worker, which counts the tokens, shortens the persona.
    Of `memory`, whose last exchange is the most alike, those that fit beside all this join it, the most alike first.
    `account` and `chat` are the request id's first two tokens.
    """
    request_id, asked = RequestId.parse(current.request_id), current.question
    text = _end_that_fits(asked.text, max_bytes, max_tokens)
    question = Turn(role=Role.USER, text=text, speaker=asked.speaker)
    persona = [Turn(role=Role.USER, text=asked.persona)] if asked.persona else []
    seed = _seed(current.request_id)
    length = record.settings.context_length
    earlier = record.history[-length:] if length else ()
    turns = _newest_that_fit((*earlier, question), max_bytes - _bytes(persona), max_tokens - _tokens(persona))
    beside = (*persona, *turns)
    return GenerationRequested(
        request_id=current.request_id,
        account_id=account,
        chat_id=chat,
        message_id=request_id.message,
        revision=request_id.revision,
        turns=turns,
        sampling=_sampling(sampling, asked.max_new_tokens).model_copy(update={"seed": seed}),
        deadline=current.deadline,
        locale=asked.locale,
        live=asked.live,
        persona=asked.persona,
        memory=_last_that_fit(memory, max_bytes - _bytes(beside), max_tokens - _tokens(beside)),
    )


def _sampling(sampling: Sampling, max_new_tokens: int | None) -> Sampling:
    if max_new_tokens is not None:
        sampling = sampling.model_copy(update={"max_new_tokens": max_new_tokens})
    return sampling.naming_defaults()


def _newest_that_fit(turns: tuple[Turn, ...], max_bytes: int, max_tokens: int) -> tuple[Turn, ...]:
    """Return the newest of `turns` that fit, without an answer whose question does not fit."""
    fitting = turns
    while len(fitting) > 1 and (_bytes(fitting) > max_bytes or _tokens(fitting) > max_tokens):
        fitting = fitting[1:]
    orphaned = len(fitting) < len(turns) and fitting[0].role is Role.ASSISTANT
    return fitting[1:] if orphaned else fitting


def _last_that_fit(memory: Sequence[Exchange], max_bytes: int, max_tokens: int) -> tuple[Exchange, ...]:
    """Return the last exchanges of `memory` that fit, and have at most `MAX_MEMORY_CHARS`."""
    for start in range(len(memory)):
        turns = [turn for exchange in memory[start:] for turn in exchange.turns]
        characters = sum(len(turn.text) for turn in turns)
        if characters <= MAX_MEMORY_CHARS and _bytes(turns) <= max_bytes and _tokens(turns) <= max_tokens:
            return tuple(memory[start:])
    return ()


def _end_that_fits(text: str, max_bytes: int, max_tokens: int) -> str:
    """Return the end of `text` that fits, at least one character."""
    chars = max(1, (max_tokens - TOKENS_PER_TURN) * CHARS_PER_TOKEN)
    return text[-chars:].encode()[-max_bytes:].decode(errors="ignore").lstrip() or text[-1:]


def _bytes(turns: Iterable[Turn]) -> int:
    return sum(len((turn.speaker + turn.text).encode()) for turn in turns)


def _tokens(turns: Iterable[Turn]) -> int:
    return sum(TOKENS_PER_TURN + -(-len(turn.speaker + turn.text) // CHARS_PER_TOKEN) for turn in turns)


def _seed(request_id: str) -> int:
    """Return 32 bits that are the same in every process, unlike Python's `hash`."""
    return int.from_bytes(sha256(request_id.encode()).digest()[:4], "big")
