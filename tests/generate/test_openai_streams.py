"""What servers that speak OpenAI's API send for an answer, and the one answer that it is."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from structlog.testing import capture_logs

from events.errors import SettingsError
from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn, Usage
from functions.generate.decoding.thoughts import VisibleText, hide_thoughts
from functions.worker.outcomes import Reject, Retry
from tests.generate.chat_server import Chat, ChatServer, Reply, choice, chunk, plainly, raw, streams, talking

pytest.importorskip("openai")

from functions.generate.engines.openai.answer import StreamedAnswer

QUESTION = [Turn(role=Role.USER, text="Как дела?")]
SAMPLING = Sampling(max_new_tokens=7)
HELLO = "Добрый день!"
BEGUN, REST, END = chunk("Добрый "), chunk("день!"), chunk(finish="stop")
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def said_at_once(**message: object) -> dict[str, object]:
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


ODD = {
    "delta null": [{"choices": [choice(None)]}, BEGUN, REST, END],
    "no delta": [{"choices": [{"index": 0}]}, BEGUN, REST, END],
    "choices null": [{"choices": None}, BEGUN, REST, END],
    "no choices": [{"id": "1"}, BEGUN, {}, REST, END],
    "a choice that is none": [{"choices": [None, 7]}, BEGUN, REST, END],
    "content null": [chunk("") | {"choices": [choice({"role": "assistant", "content": None})]}, BEGUN, REST, END],
    "usage null": [BEGUN, REST, END, {"choices": [], "usage": None}],
    "counts null": [BEGUN, REST, END, {"choices": [], "usage": dict.fromkeys(USAGE)}],
    "counts that are none": [BEGUN, REST, END, {"usage": {"completion_tokens": -1, "prompt_tokens": "5"}}],
    "a reason of its own": [BEGUN, REST, chunk(finish="eos_token")],
    "a reason with words": [BEGUN, chunk("день!", finish="eos")],
    "an empty reason": [BEGUN, REST, chunk(finish="")],
    "empty reasons everywhere": [chunk("Добрый ", finish=""), chunk("день!", finish=""), chunk(finish="")],
    "no reason": [BEGUN, REST],
    "a reason that is a number": [BEGUN, REST, {"choices": [{"index": 0, "delta": {}, "finish_reason": 2}]}],
    "tools": [BEGUN, REST, {"choices": [choice({"content": None, "tool_calls": []}, "tool_calls")]}],
    "parts": [chunk(parts("Добрый ")), chunk(parts("де", "нь!")), END],
    "a part": [chunk({"type": "text", "text": "Добрый день!"}), END],
    "thoughts among the parts": [
        chunk([{"type": "thinking", "thinking": parts("хм")}]),
        chunk([{"type": "text", "text": "Добрый "}, {"type": "image_url", "text": "x"}]),
        REST,
        END,
    ],
    "text": [{"choices": [{"index": 0, "text": HELLO, "finish_reason": "stop"}]}],
    "a message": [said_at_once(role="assistant", content=HELLO)],
    "a message of parts": [said_at_once(content=parts(HELLO))],
    "all once more": [BEGUN, REST, said_at_once(content=HELLO)],
    "several choices": [
        {"choices": [choice({"content": "Добрый "}), {"index": 1, "delta": {"content": "Прочь"}}]},
        REST,
        END,
        {"choices": [{"index": 1, "delta": {"content": "!"}, "finish_reason": "length"}]},
    ],
    "no index": [{"choices": [{"delta": {"content": HELLO}, "finish_reason": "stop"}]}],
    "a refusal": [{"choices": [choice({"content": None, "refusal": "Добрый "})]}, *[
        {"choices": [choice({"refusal": "день!"}, "stop")]}
    ]],
    "reasons null": [BEGUN, REST, {"choices": [choice({}, "stop")], "error": None}],
    "thoughts": [chunk("<think>\nOkay.\n</think>\n\n"), BEGUN, REST, END],
    "thoughts that the prompt opened": [chunk("Okay.\n"), chunk("</think>\n\n"), BEGUN, REST, END],
    "reasoning_content": [{"choices": [choice({"reasoning_content": "Okay."})]}, BEGUN, REST, END],
    "reasoning": [{"choices": [choice({"reasoning": "Okay.", "content": ""})]}, BEGUN, REST, END],
    "halves of a letter": [chunk("Добрый день\ud83d"), chunk("\ude00!"), END],
    "half a letter": [chunk("\udc00Добрый день\ud83d"), chunk("!"), END],
    "null bytes": [chunk("Добрый\x00 д\x1bень!"), END],
}  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    server = ChatServer()
    yield server
    await server.stop()


async def answered(server: ChatServer, reply: Reply) -> Any:
    server.script.append(reply)
    async with talking(server) as engine:
        return await engine.generate(QUESTION, SAMPLING)


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_empty_or_odd_is_passed_over(server: ChatServer, odd: str) -> None:
    answer = await answered(server, streams(*ODD[odd]))
    assert answer.text.replace("\N{GRINNING FACE}", "") == HELLO
    assert answer.finish_reason is FinishReason.STOP
    answer.text.encode()


@pytest.mark.parametrize("odd", ["a reason of its own", "an empty reason", "several choices", "a message", "a refusal"])
async def test_a_stream_that_does_not_say_that_it_is_done_is_whole_with_a_reason(server: ChatServer, odd: str) -> None:
    assert (await answered(server, streams(*ODD[odd], done=False))).text


async def test_counts_may_come_with_every_event(server: ChatServer) -> None:
    growing = [event | {"usage": USAGE | {"completion_tokens": n}} for n, event in enumerate([BEGUN, REST, END])]
    assert (await answered(server, streams(*growing))).usage == Usage(input_tokens=5, output_tokens=2)


async def test_what_a_filter_took_fails(server: ChatServer) -> None:
    with pytest.raises(Reject, match="content filter"):
        await answered(server, streams(BEGUN, chunk(finish="content_filter")))


def lines(*events: object, end: bytes = b"\n\n", space: bytes = b" ") -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return b"".join(b"data:" + space + text.encode() + end for text in texts)


BODIES = {
    "as usual": lines(BEGUN, REST, END, "[DONE]"),
    "no space": lines(BEGUN, REST, END, "[DONE]", space=b""),
    "CRLF": lines(BEGUN, REST, END, "[DONE]", end=b"\r\n\r\n"),
    "CR": lines(BEGUN, REST, END, "[DONE]", end=b"\r\r"),
    "no empty lines": lines(BEGUN, REST, END, "[DONE]", end=b"\n"),
    "no line end at the end": lines(BEGUN, REST, END).rstrip(),
    "comments": b": ping\n\n" + lines(BEGUN) + b":\n\n: ping\n" + lines(REST, END, "[DONE]"),
    "names": b"event: message\nid: 1\nretry: 3\n" + lines(BEGUN, REST) + b"event: end\n\n" + lines(END),
    "a byte order mark": b"\xef\xbb\xbf\n" + lines(BEGUN, REST, END),
    "separators of lines that are none": lines(BEGUN, {"id": "\u2028\x85"}, REST, END),
    "after the end": lines(BEGUN, REST, END, "[DONE]", chunk("!!")),
    "spread over lines": lines(said_at_once(content=HELLO)).replace(b", ", b",\ndata: "),
    "not streamed": json.dumps(said_at_once(content=HELLO)).encode(),
    "not streamed, indented": b"\n" + json.dumps(said_at_once(content=HELLO), indent=2).encode(),
    "an object a line": b"\n".join(json.dumps(event).encode() for event in (BEGUN, REST, END)),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_read_as_what_it_is(server: ChatServer, body: str) -> None:
    assert (await answered(server, plainly(200, BODIES[body]))).text == HELLO


@pytest.mark.parametrize("body", ["as usual", "not streamed"])
async def test_the_header_does_not_decide_what_a_body_is(server: ChatServer, body: str) -> None:
    assert (await answered(server, plainly(200, BODIES[body], "application/json"))).text == HELLO


@pytest.mark.parametrize("head", ["HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
async def test_a_body_may_end_with_its_connection(server: ChatServer, head: str) -> None:
    async def closes(chat: Chat, body: dict[str, Any]) -> None:
        await raw(chat, head.encode() + BODIES["as usual"])

    assert (await answered(server, closes)).text == HELLO


async def test_a_body_may_be_packed(server: ChatServer) -> None:
    packed = plainly(200, gzip.compress(BODIES["as usual"]), header="Content-Encoding: gzip\r\n")
    assert (await answered(server, packed)).text == HELLO


async def test_a_body_may_be_cut_anywhere(server: ChatServer) -> None:
    async def in_bytes(chat: Chat, body: dict[str, Any]) -> None:
        for byte in BODIES["CRLF"]:
            chat.write(bytes([byte]))
            await chat.flush()

    assert (await answered(server, in_bytes)).text == HELLO


ERRORS = {
    "an error": {"error": {"message": "no", "code": 400}},
    "an error at the top": {"object": "error", "message": "no", "code": 400},
    "an error with a status": {"error": {"message": "no", "status": 400}},
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("how", ["streamed", "llama.cpp", "at once"])
async def test_an_error_in_the_place_of_an_answer_counts_like_its_status(
    server: ChatServer, error: str, how: str
) -> None:
    text = json.dumps(ERRORS[error])
    body = {"streamed": f"data: {text}\n\n", "llama.cpp": f"error: {text}\n\n", "at once": text}[how]
    with pytest.raises(Reject, match="status 400"):
        await answered(server, plainly(200, body.encode()))


@pytest.mark.parametrize("body", [b'{"error": "no"}', b'data: {"error": "no"}\n\n', b'data: {"error": ["no"]}\n\n'])
async def test_an_error_without_a_status_is_tried_again(server: ChatServer, body: bytes) -> None:
    with pytest.raises(Retry):
        await answered(server, plainly(200, body))


async def test_an_answer_that_does_not_stop_is_cut(server: ChatServer) -> None:
    async def goes_on(chat: Chat, body: dict[str, Any]) -> None:
        while not server.hung_up.is_set():
            await chat.event(chunk("Раз, два. "))

    answer = await answered(server, goes_on)
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.text.endswith("два.")
    assert len(answer.text) < 1000


async def test_a_body_that_does_not_stop_is_given_up(server: ChatServer) -> None:
    async def goes_on(chat: Chat, body: dict[str, Any]) -> None:
        while not server.hung_up.is_set():
            chat.write(b"x" * 65536)
            await chat.flush()

    with pytest.raises(Retry, match="ValueError"):
        await answered(server, goes_on)


async def test_nesting_without_end_is_nonsense_like_any(server: ChatServer) -> None:
    with pytest.raises(Retry, match="ValueError"):
        await answered(server, plainly(200, b'data: {"a": ' + b"[" * 100_000 + b"\n\n"))


async def test_a_connection_serves_more_than_one_question(server: ChatServer) -> None:
    seen: set[object] = set()

    async def remembers(chat: Chat, body: dict[str, Any]) -> None:
        seen.add(chat.request.connection.context)  # type: ignore[union-attr]
        await streams(BEGUN, REST, END)(chat, body)

    server.script.extend([remembers] * 3)
    async with talking(server) as engine:
        for _ in range(3):
            await engine.generate(QUESTION, SAMPLING)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "body", [lines(END, "[DONE]"), lines(chunk(""), END), lines({"choices": [choice({"words": "да"}, "stop")]})]
)
async def test_a_server_that_never_says_a_word_is_one_line_at_the_start(server: ChatServer, body: bytes) -> None:
    server.probed = plainly(200, body)
    with pytest.raises(
        SettingsError, match=r"/chat/completions answers without readable text.*GENERATE_MODEL"
    ) as raised:
        async with talking(server):
            pass
    assert "\n" not in str(raised.value)


async def test_a_model_that_has_nothing_to_say_to_our_question_is_one_line_in_the_log(server: ChatServer) -> None:
    server.probed = streams(END, {"choices": [], "usage": USAGE | {"completion_tokens": 1}})
    with capture_logs() as logs:
        assert (await answered(server, streams(BEGUN, REST, END))).text == HELLO
    assert [line["event"] for line in logs] == ["openai.nothing_said"]


async def test_a_model_that_had_nothing_to_say_once_is_asked_again_at_the_start(server: ChatServer) -> None:
    async def only_with_another_seed(chat: Chat, body: dict[str, Any]) -> None:
        await streams(*([BEGUN] if body["seed"] else []), END)(chat, body)

    server.probed = only_with_another_seed
    assert (await answered(server, streams(BEGUN, REST, END))).text == HELLO


VALUES = st.sampled_from([None, True, -1, 1.5, 10**30, "", "да\ud800", [], [None], {}, {"text": 3}, {"content": ["а"]}])
NAMES = ["delta", "content", "message", "index", "finish_reason", "text", "refusal", "reasoning"]
CHOICES = st.dictionaries(st.sampled_from(NAMES), VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES), max_size=5)
COUNTS = st.dictionaries(st.sampled_from([*USAGE, "completion_tokens_details"]), VALUES)


@limits(max_examples=50)
@given(
    st.lists(
        st.fixed_dictionaries({"choices": st.lists(CHOICES, max_size=2) | VALUES, "usage": COUNTS | VALUES}), max_size=3
    )
)
def test_no_event_breaks_the_reading(events: list[dict[str, Any]]) -> None:
    answer = StreamedAnswer(SystemClock(), visible=7, thoughts=5)
    for event in events:
        answer.add(event)
    with suppress(Retry, Reject):
        answer.generated().text.encode()


def test_a_long_thought_is_not_read_anew_at_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counting(text: str, **how: Any) -> VisibleText:
        nonlocal read
        read += 1
        return hide_thoughts(text, **how)

    monkeypatch.setattr("functions.generate.engines.openai.answer.hide_thoughts", counting)
    answer = StreamedAnswer(SystemClock(), visible=3000, thoughts=20_000)
    for piece in ("<think>", *"а" * 20_000, "</think>", *"Да. " * 500):
        answer.add(json.loads(json.dumps(chunk(piece))))
        assert not answer.is_full
    answer.add(chunk(finish="stop"))
    assert answer.generated().text.startswith("Да. Да.")
    assert read < 1000
