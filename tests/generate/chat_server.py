"""A server on loopback that speaks OpenAI's API, well or badly."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from events.runtime.clock import SystemClock
from functions.generate.app import open_engine
from functions.generate.engine import Engine
from functions.generate.settings import GenerateSettings

PROBE = "?"

Reply = Callable[["Chat", dict[str, Any]], Awaitable[None]]


class ChatServer:
    """Plays `script`, a reply a question, and then says yes for ever.

    What it was asked is in `asked`, with the probes, refused or not, in `bodies`.
    """

    def __init__(self) -> None:
        self.models = ["big"]
        self.key: str | None = None
        self.refused: set[str] = set()
        self.listed: str | None = None
        self.probed: Reply | None = None
        self.script: deque[Reply] = deque()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.hung_up = asyncio.Event()
        self.absent = False
        self.bodies: list[dict[str, Any]] = []
        application = Application(
            [
                ("/v1/models", Models),
                ("/v1/chat/completions", Chat),
                (r"/old/(.*)", Moved),
                ("/moved/models", Elsewhere),
            ],
            server=self,
        )
        self._http = HTTPServer(application)
        sockets = bind_sockets(0, "127.0.0.1")
        self._http.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    async def stop(self) -> None:
        self._http.stop()
        await self._http.close_all_connections()


class Models(RequestHandler):
    def get(self) -> None:
        server = self.settings["server"]
        if server.absent:
            self.send_error(404)
        elif server.key and self.request.headers.get("Authorization") != f"Bearer {server.key}":
            self.set_status(401)
            self.write({"error": {"message": "no", "code": "invalid_api_key"}})
        elif server.listed is not None:
            self.set_header("Content-Type", "application/json")
            self.write(server.listed)
        else:
            self.write({"object": "list", "data": [{"id": name, "object": "model"} for name in server.models]})


class Moved(RequestHandler):
    def get(self, path: str) -> None:
        self.redirect(f"/v1/{path}", permanent=True)

    post = get


class Elsewhere(RequestHandler):
    def get(self) -> None:
        self.redirect(f"http://localhost:{self.settings['server'].port}/v1/models")


class Chat(RequestHandler):
    async def post(self) -> None:
        server = self.settings["server"]
        body = json.loads(self.request.body)
        server.bodies.append(body)
        if unknown := sorted(server.refused & body.keys()):
            # As OpenAI does it, one at a time.
            await refusal(400, message=f"Unrecognized request argument supplied: {unknown[0]}")(self, body)
        elif body["messages"][-1]["content"] == PROBE:
            await (server.probed or says("."))(self, body)
        else:
            server.asked.append(body)
            server.headers.append(self.request.headers)
            await (server.script.popleft() if server.script else says("да"))(self, body)

    def on_connection_close(self) -> None:
        self.settings["server"].hung_up.set()

    async def event(self, data: object) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.write(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n")
        await self.flush()

    async def word(self, text: str, finish_reason: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
        await self.event({"id": "1", "object": "chat.completion.chunk", "created": 1, "choices": [choice]})


def says(*words: str, finish_reason: str = "stop", usage: bool = True) -> Reply:
    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        for word in words:
            await chat.word(word)
        await chat.word("", finish_reason)
        if usage and body["stream_options"]["include_usage"]:
            counted = {"prompt_tokens": 11, "completion_tokens": len(words), "total_tokens": 11 + len(words)}
            await chat.event({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": counted})
        await chat.event("[DONE]")

    return reply


def refusal(status: int, *, message: str = "", retry_after: str | None = None, **error: object) -> Reply:
    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.set_status(status)
        if retry_after is not None:
            chat.set_header("Retry-After", retry_after)
        chat.write({"error": {"message": message or json.dumps(body, ensure_ascii=False), **error}})

    return reply


async def dies(chat: Chat, body: dict[str, Any]) -> None:
    await chat.word("Пол")
    assert chat.request.connection is not None
    stream = chat.detach()
    stream.close()


async def trails_off(chat: Chat, body: dict[str, Any]) -> None:
    await chat.word("Пол")


async def fails_midway(chat: Chat, body: dict[str, Any]) -> None:
    await chat.word("Пол")
    await chat.event({"error": {"message": body["messages"][-1]["content"], "code": 500}})


async def raw(chat: Chat, answer: bytes) -> None:
    """Past tornado, which would keep to HTTP."""
    stream = chat.detach()
    with suppress(StreamClosedError):
        await stream.write(answer)
    stream.close()


def plainly(status: int, body: bytes = b"", kind: str = "text/event-stream", header: str = "") -> Reply:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{header}\r\n"

    async def reply(chat: Chat, body_: dict[str, Any]) -> None:
        await raw(chat, head.encode() + body)

    return reply


def streams(*events: object, done: bool = True) -> Reply:
    """Events of these objects, and of texts as they are."""

    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        for event in events:
            await chat.event(event)
        if done:
            await chat.event("[DONE]")

    return reply


def chunk(content: object = None, *, finish: str | None = None, **more: object) -> dict[str, object]:
    """An event whose only choice says `content`."""
    delta = {} if content is None else {"content": content}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice(delta, finish, **more)]}


def choice(delta: object, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"index": 0, "delta": delta, "finish_reason": finish, **more}


def settings(server: ChatServer, **more: object) -> GenerateSettings:
    return GenerateSettings.read(**{"engine": "openai", "openai_base_url": server.url, **more})


@asynccontextmanager
async def talking(server: ChatServer, **more: object) -> AsyncIterator[Engine]:
    """An engine that asks `server`."""
    engine = await open_engine(settings(server, **more), clock=SystemClock())
    yield engine
    await engine.close()
