"""A Hugging Face tokenizer without transformers, whose import alone takes longer than an answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from events.runtime.clock import Clock
from functions.generate.engines.serving_file import ServingInfo
from functions.generate.prompts.templates import ChatTemplate
from functions.generate.prompts.tokenizer import ByteTokens


class FastTokenizer:
    """Implements `functions.generate.prompts.tokenizer.Tokenizer`. Encode in one thread at a time."""

    def __init__(self, directory: Path, described: ServingInfo) -> None:
        self._raw: Any = Tokenizer.from_file(str(directory / "tokenizer.json"))
        # Its file may say that texts are cut.
        self._raw.no_truncation()
        self._raw.no_padding()
        self._described = described
        self._bytes = ByteTokens(self.convert_tokens_to_ids, self.unk_token_id)

    @property
    def backend_tokenizer(self) -> Any:
        """The `tokenizers.Tokenizer` itself."""
        return self._raw

    @property
    def bos_token_id(self) -> int | None:
        return self._described.bos_token_id

    @property
    def unk_token_id(self) -> int | None:
        return self.convert_tokens_to_ids(self._described.special_tokens.get("unk_token", ""))

    @property
    def all_special_ids(self) -> Sequence[int]:
        return self._described.special_ids

    @property
    def all_special_tokens(self) -> Sequence[str]:
        return [str(self._raw.id_to_token(token)) for token in self._described.special_ids]

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        added: Mapping[int, Any] = self._raw.get_added_tokens_decoder()
        return added

    def convert_tokens_to_ids(self, tokens: str) -> int | None:
        token: int | None = self._raw.token_to_id(tokens)
        return token

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool) -> list[int]:
        self._raw.encode_special_tokens = split_special_tokens
        ids: list[int] = self._raw.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`, special ones included, bytes that make no character left out."""
        text: str = self._raw.decode(self._bytes.without_fragments(tokens), skip_special_tokens=False)
        return text

    def template(self, clock: Clock) -> ChatTemplate | None:
        """The model's chat template, if it has one. Raises TemplateRefused."""
        template, tokens = self._described.chat_template, self._described.special_tokens
        if not template:
            return None
        controls = [str(token.content) for token in self.added_tokens_decoder.values()]
        return ChatTemplate(template, tokens, controls=controls, clock=clock)
