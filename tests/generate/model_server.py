"""A server that speaks OpenAI's API and really runs a tiny model: its answers tell what it was asked."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import torch
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from transformers import AutoModelForCausalLM, AutoTokenizer

from cli.demo.nats_server import HOST
from tests.generate.lessons import Taught


class ModelServer:
    """Answers as many as ask at once, a token of each by turns."""

    def __init__(self, taught: Taught, *, context: int) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(taught.directory)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(taught.directory)
        self._template = taught.template
        self._ends = {self._tokenizer.encode(end)[0] for end in (taught.end, "<eos>")}
        self._http: HTTPServer | None = None
        self._port = 0
        self.context = context
        self.wrote = 0
        """Tokens, for whomever."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/v1"

    def start(self) -> None:
        """The second time in the same place."""
        application = Application([("/v1/models", Models), ("/v1/chat/completions", Chat)], server=self)
        self._http = HTTPServer(application)
        sockets = bind_sockets(self._port, HOST)
        self._port = sockets[0].getsockname()[1]
        self._http.add_sockets(sockets)

    async def stop(self) -> None:
        """Break off what it writes."""
        assert self._http
        self._http.stop()
        await self._http.close_all_connections()

    def prompt(self, body: dict[str, Any]) -> list[int]:
        """Control tokens that somebody wrote are read as such, as servers do."""
        rendered = self._tokenizer.apply_chat_template(
            body["messages"], chat_template=self._template, add_generation_prompt=True, tokenize=False
        )
        ids: list[int] = self._tokenizer.encode(rendered, add_special_tokens=False)
        return ids

    def write(self, prompt: list[int], body: dict[str, Any]) -> Iterator[tuple[str, bool]]:
        """What each token adds, and whether it ends the answer; until the limit, or the end of the context."""
        cache, ids, generator = None, prompt, torch.Generator().manual_seed(body.get("seed", 0))
        written: list[int] = []
        shown = ""
        for _ in range(min(body["max_tokens"], self.context - len(prompt))):
            with torch.inference_mode():
                output = self._model(torch.tensor([ids]), past_key_values=cache, use_cache=True)
            token = _drawn(output.logits[0, -1], body.get("temperature", 1.0), generator)
            cache, ids = output.past_key_values, [token]
            self.wrote += 1
            written.append(token)
            text = self._tokenizer.decode(written[:-1] if token in self._ends else written)
            piece = "" if text.endswith("\ufffd") else text[len(shown) :]
            shown += piece
            yield piece, token in self._ends


def _drawn(logits: Any, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator))


class Models(RequestHandler):
    def get(self) -> None:
        self.write({"object": "list", "data": [{"id": "tiny-taught", "object": "model"}]})


class Chat(RequestHandler):
    async def post(self) -> None:
        server: ModelServer = self.settings["server"]
        body = json.loads(self.request.body)
        prompt = server.prompt(body)
        if len(prompt) >= server.context:
            self.set_status(400)
            self.write({"error": _too_long(len(prompt), server.context)})
            return
        try:
            await self._answer(server, prompt, body)
        except StreamClosedError:
            return  # nobody waits any more

    async def _answer(self, server: ModelServer, prompt: list[int], body: dict[str, Any]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        count, ended = 0, False
        for piece, ended in server.write(prompt, body):
            count += 1
            await self._event([{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
            if ended:
                break
        await self._event([{"index": 0, "delta": {}, "finish_reason": "stop" if ended else "length"}])
        usage = {"prompt_tokens": len(prompt), "completion_tokens": count, "total_tokens": len(prompt) + count}
        await self._event([], usage=usage)
        self.write("data: [DONE]\n\n")

    async def _event(self, choices: list[dict[str, Any]], **more: object) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-taught"}
        self.write(f"data: {json.dumps({**chunk, 'choices': choices, **more})}\n\n")
        await self.flush()
        await asyncio.sleep(0)  # the others' turn


def _too_long(tokens: int, context: int) -> dict[str, Any]:
    """As llama.cpp says it."""
    return {
        "code": 400,
        "type": "exceed_context_size_error",
        "message": f"request ({tokens} tokens) exceeds the available context size ({context} tokens)",
        "n_prompt_tokens": tokens,
        "n_ctx": context,
    }
