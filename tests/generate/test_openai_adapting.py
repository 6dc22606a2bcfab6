"""What a server wants to be asked otherwise: where it is, its parameters, its room for a conversation and thoughts."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from events.errors import SettingsError
from events.schema import FinishReason, Role, Sampling, Turn
from functions.worker.outcomes import Reject, Retry
from tests.generate.chat_server import (
    Chat,
    ChatServer,
    Reply,
    choice,
    chunk,
    plainly,
    refusal,
    says,
    streams,
    talking,
)

pytest.importorskip("openai")

from openai import APIStatusError

from functions.generate.engines.openai.overflow import Overflow, overflow_of

QUESTION = [Turn(role=Role.USER, text="секрет")]
SAMPLING = Sampling(max_new_tokens=7, seed=5)
CONVERSATION = [
    Turn(role=role, text=f"{number} " + "слово " * 40)
    for number in range(10)
    for role in (Role.USER, Role.ASSISTANT)
] + [Turn(role=Role.USER, text="А что в конце?")]  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    server = ChatServer()
    yield server
    await server.stop()


def adapted(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"].startswith("openai.")]


# Where it is


@pytest.mark.parametrize("path", ["", "/", "/v1/", "/v1/models", "/v1/chat/completions"])
async def test_an_address_that_is_nearly_right_is_put_right_in_one_line(server: ChatServer, path: str) -> None:
    with capture_logs() as logs:
        async with talking(server, openai_base_url=server.url.removesuffix("/v1") + path) as engine:
            assert (await engine.generate(QUESTION, SAMPLING)).text == "да"
    assert [line["url"] for line in adapted(logs)] == [server.url] * (path != "/v1/")


async def test_an_address_that_sends_us_on_is_followed_with_every_question(server: ChatServer) -> None:
    with capture_logs() as logs:
        async with talking(server, openai_base_url=server.url.replace("/v1", "/old")) as engine:
            assert (await engine.generate(QUESTION, SAMPLING)).text == "да"
    assert [line["url"] for line in adapted(logs)] == [server.url]


async def test_an_address_on_another_host_is_one_line_with_what_to_set(server: ChatServer) -> None:
    with pytest.raises(SettingsError, match=rf"has moved: set OPENAI_BASE_URL to http://localhost:{server.port}/v1$"):
        async with talking(server, openai_base_url=server.url.replace("/v1", "/moved")):
            pass


@pytest.mark.parametrize("path", ["", "/api", "/api/v2"])
async def test_an_address_without_the_api_is_one_line(server: ChatServer, path: str) -> None:
    server.absent = True
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL") as raised:
        async with talking(server, openai_base_url=server.url.removesuffix("/v1") + path):
            pass
    assert "\n" not in str(raised.value)


LISTS = ["<html>", "{", "null", '{"data": null}', '{"data": [1]}', '{"data": [{}]}', '{"error": "no"}', "[" * 100_000]


@pytest.mark.parametrize("listed", LISTS)
async def test_without_a_list_of_models_one_has_to_be_set(server: ChatServer, listed: str) -> None:
    server.listed = listed
    with pytest.raises(SettingsError, match=r"/models is no list of models: .*GENERATE_MODEL") as raised:
        async with talking(server):
            pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("listed", LISTS)
async def test_a_model_that_is_set_needs_no_list(server: ChatServer, listed: str) -> None:
    server.listed = listed
    with capture_logs() as logs:
        async with talking(server, model="huge") as engine:
            await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["model"] == "huge"
    assert [line["listed"] for line in adapted(logs)] == [False]


@pytest.mark.parametrize("listed", ['["big"]', '{"data": ["big"]}', '[{"id": "big"}]', '{"models": [{"name": "big"}]}'])
async def test_a_list_of_models_in_another_form_is_read(server: ChatServer, listed: str) -> None:
    server.listed = listed
    async with talking(server) as engine:
        assert engine.model == "big"


async def test_ollamas_default_tag_need_not_be_set(server: ChatServer) -> None:
    server.models = ["big:latest", "big:tiny"]
    async with talking(server, model="big") as engine:
        assert engine.model == "big:latest"


# Parameters

REFUSALS = {
    "OpenAI": lambda name: refusal(400, message=f"Unsupported parameter: '{name}'", param=name, code="unsupported"),
    "OpenAI, a value": lambda name: refusal(400, message=f"Unsupported value: '{name}' does not support that"),
    "pydantic": lambda name: plainly(
        422, json.dumps({"detail": [{"loc": ["body", name], "type": "extra_forbidden"}]}).encode(), "application/json"
    ),
    "words": lambda name: refusal(500, message=f"TypeError: unexpected keyword argument {name}"),
    "an event": lambda name: streams({"error": {"message": f"{name} is not supported"}}),
    "nothing": lambda name: refusal(400, message="Bad request"),
}


def refuses(name: str, how: str) -> Reply:
    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        sent = name in body and body[name] is not False
        await (REFUSALS[how](name) if sent else says("да"))(chat, body)

    return reply


@pytest.mark.parametrize("how", sorted(REFUSALS.keys() - {"nothing"}))
@pytest.mark.parametrize("name", ["temperature", "stream_options", "top_k"])
async def test_a_parameter_that_is_refused_at_the_start_is_left_out(server: ChatServer, name: str, how: str) -> None:
    server.probed = refuses(name, how)
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING)
    (asked,) = server.asked
    assert name not in asked
    assert {"max_tokens", "seed", "top_p", "chat_template_kwargs"} < asked.keys()


@pytest.mark.parametrize("name", ["seed", "top_p", "reasoning_effort"])
async def test_a_refusal_that_names_nothing_is_found_out(server: ChatServer, name: str) -> None:
    server.probed = refuses(name, "nothing")
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert name not in server.asked[0]
    assert "max_tokens" in server.asked[0]


async def test_the_older_name_of_the_limit_is_given_up_for_the_newer(server: ChatServer) -> None:
    server.probed = lambda chat, body: (
        refusal(400, message="'max_tokens' is not supported, use 'max_completion_tokens' instead")
        if "max_tokens" in body
        else says("да")
    )(chat, body)
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["max_completion_tokens"] == 7
    assert "max_tokens" not in server.asked[0]


async def test_the_least_effort_that_the_server_knows_is_asked_for(server: ChatServer) -> None:
    async def knows_low(chat: Chat, body: dict[str, Any]) -> None:
        known = body.get("reasoning_effort") in ("low", "high")
        await (says("да") if known else refusal(400, message="Unsupported value", param="reasoning_effort"))(chat, body)

    server.probed = knows_low
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["reasoning_effort"] == "low"


async def test_a_server_that_can_not_stream_is_asked_for_the_whole(server: ChatServer) -> None:
    server.refused = {"stream_options"}
    server.probed = refuses("stream", "OpenAI")
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["stream"] is False


async def test_what_nothing_helps_against_is_one_line_with_the_first_refusal(server: ChatServer) -> None:
    server.probed = refusal(400, message="No", code="closed")
    with pytest.raises(SettingsError, match=r"can't serve \(status 400 \(closed\)\)"):
        async with talking(server):
            pass


@pytest.mark.parametrize("name", ["temperature", "top_k", "max_tokens"])
async def test_a_parameter_that_is_refused_later_costs_no_attempt(server: ChatServer, name: str) -> None:
    async with talking(server) as engine:
        server.refused = {name}
        with capture_logs() as logs:
            assert (await engine.generate(QUESTION, SAMPLING)).text == "да"
        assert [line["refused"] for line in adapted(logs)] == [[name]]
        await engine.generate(QUESTION, SAMPLING)
    # Refused, found out, asked again; and then once.
    assert [name in body for body in server.bodies[-5:]] == [True, True, False, False, False]


async def test_a_users_words_do_not_decide_about_parameters(server: ChatServer) -> None:
    words = [Turn(role=Role.USER, text="Unsupported parameter: 'temperature' 'max_tokens' 'top_k'")]
    async with talking(server) as engine:
        server.script.append(refusal(400))  # quotes the question
        with pytest.raises(Reject):
            await engine.generate(words, SAMPLING)
        await engine.generate(QUESTION, SAMPLING)
    assert {"temperature", "max_tokens", "top_k"} < server.asked[-1].keys()


async def test_a_seed_fits_into_31_bits(server: ChatServer) -> None:
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING.model_copy(update={"seed": 2**32 - 1}))
    assert server.asked[0]["seed"] < 2**31


# Room for a conversation

WORDINGS = {
    "This model's maximum context length is 4097 tokens. However, you requested 4203 tokens (3703 in the messages, "
    "500 in the completion). Please reduce the length of the messages or completion.": (4097, 3703),
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 204308 tokens.": (
        128000,
        204308,
    ),
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 477469 tokens.": (
        272000,
        477469,
    ),
    "'max_tokens' is too large: 500. This model's maximum context length is 1024 tokens and your request has 900 input "
    "tokens (500 > 1024 - 900).": (1024, 900),
    "This model's maximum context length is 1024 tokens. However, you requested 60 output tokens and your prompt "
    "contains at least 965 input tokens, for a total of at least 1025 tokens.": (1024, None),
    "The input (61709 tokens) is longer than the model's context length (40960 tokens).": (40960, 61709),
    "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).": (59862, 160062),
    "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 "
    "tokens: 4500 tokens from the input messages and 500 tokens for the completion.": (4096, 4500),
    "`inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 `inputs` tokens and 1024 `max_new_tokens`": (
        1512,
        1000,
    ),
    "`inputs` must have less than 1024 tokens. Given: 1872": (1024, 1872),
    "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context "
    "length of only 4096 tokens, which is not enough.": (4096, 15857),
    "request (2031 tokens) exceeds the available context size (512 tokens), try increasing it": (512, 2031),
    "the request exceeds the available context size, try increasing it": (None, None),
    "Requested tokens (2285) exceed context window of 2048": (2048, 2285),
    "Prompt contains 33000 tokens and 0 draft tokens, too large for model with 32768 maximum context length": (
        32768,
        33000,
    ),
    "prompt is too long: 210000 tokens > 200000 maximum": (200000, 210000),
    "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000": (200000, 178959),
    "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).": (1048576, 1100000),
    "This endpoint's maximum context length is 16384 tokens. However, you requested about 94307 tokens (94307 of text "
    "input).": (16384, 94307),
    "Please reduce the length of the messages or completion.": (None, None),
    "the request exceeds the context size of ٣٣٣ tokens": (None, None),
}


@pytest.mark.parametrize("message", WORDINGS)
def test_the_numbers_of_every_server_are_read(message: str) -> None:
    httpx = pytest.importorskip("httpx2")
    response = httpx.Response(400, request=httpx.Request("POST", "http://h/v1/chat/completions"))
    error = APIStatusError(message, response=response, body={"message": message})
    assert overflow_of(error) == Overflow(*WORDINGS[message])


@pytest.mark.parametrize("odd", [True, -1, 0, 10**12, float("nan"), "512", None, [512]])
def test_what_is_no_number_of_tokens_is_not_taken_for_one(odd: Any) -> None:
    httpx = pytest.importorskip("httpx2")
    response = httpx.Response(400, request=httpx.Request("POST", "http://h/v1/chat/completions"))
    message = "the request exceeds the available context size"
    body = {"message": message, "code": ["a list"], "type": {}, "n_ctx": odd, "n_prompt_tokens": odd}
    assert overflow_of(APIStatusError(message, response=response, body=body)) == Overflow()


def has_room(limit: int, *, counts: bool = True, total: bool = True) -> Reply:
    """Five bytes are a token to this server, and it takes `limit` of them, with the answer's if `total`."""

    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        prompt = sum(len(message["content"].encode()) // 2 + 6 for message in body["messages"])
        if prompt + (body["max_tokens"] if total else 0) <= limit:
            await says("Вот.")(chat, body)
        else:
            numbers = {"n_prompt_tokens": prompt, "n_ctx": limit} if counts else {}
            await refusal(400, message="too long", type="exceed_context_size_error", code=400, **numbers)(chat, body)

    return reply


@pytest.mark.parametrize("limit", [64, 200, 512, 800])
async def test_a_conversation_too_long_is_asked_again_with_less_of_it(server: ChatServer, limit: int) -> None:
    server.script.extend([has_room(limit)] * 9)
    async with talking(server) as engine:
        assert (await engine.generate(CONVERSATION, SAMPLING)).text == "Вот."
    assert server.asked[-1]["messages"][-1]["content"].endswith("в конце?")
    assert len(server.asked) <= 3
    if limit > 600:
        assert len(server.asked[-1]["messages"]) > 1


@pytest.mark.parametrize("limit", [64, 512])
async def test_a_server_that_tells_no_numbers_gets_half_each_time(server: ChatServer, limit: int) -> None:
    server.script.extend([has_room(limit, counts=False)] * 9)
    async with talking(server) as engine:
        assert (await engine.generate(CONVERSATION, SAMPLING)).text == "Вот."
    assert server.asked[-1]["messages"][-1]["content"].endswith("конце?")


async def test_a_limit_below_the_answers_own_leaves_less_for_it(server: ChatServer) -> None:
    server.script.extend([has_room(200)] * 9)
    async with talking(server) as engine:
        answer = await engine.generate(CONVERSATION, Sampling(max_new_tokens=300))
    assert answer.text == "Вот."
    assert server.asked[-1]["max_tokens"] <= 100


async def test_a_question_alone_too_long_keeps_its_end(server: ChatServer) -> None:
    server.script.extend([has_room(100)] * 9)
    async with talking(server) as engine:
        await engine.generate([Turn(role=Role.USER, text="слово " * 200 + "конец")], SAMPLING)
    assert server.asked[-1]["messages"][0]["content"].endswith("слово конец")


async def test_a_server_without_room_for_anything_is_given_up_after_a_few_tries(server: ChatServer) -> None:
    server.script.extend([has_room(0)] * 20)
    async with talking(server) as engine:
        with pytest.raises(Reject, match="too long"):
            await engine.generate(CONVERSATION, SAMPLING)
    assert len(server.asked) <= 7


async def test_the_next_question_is_asked_as_if_nothing_had_been(server: ChatServer) -> None:
    async with talking(server) as engine:
        await engine.generate(CONVERSATION, SAMPLING)
        server.script.extend([has_room(100)] * 2)
        await engine.generate(CONVERSATION, SAMPLING)
        await engine.generate(CONVERSATION, SAMPLING)
    assert server.asked[0] == server.asked[-1]


async def test_a_body_too_large_for_something_between_is_made_smaller(server: ChatServer) -> None:
    server.script.append(refusal(413, message="Request entity too large"))
    async with talking(server) as engine:
        assert (await engine.generate(CONVERSATION, SAMPLING)).text == "да"
    assert len(str(server.asked[1])) < len(str(server.asked[0]))


@pytest.mark.parametrize("cut", [streams(chunk("Вот"), chunk(finish="length")), streams(chunk(finish="length"))])
async def test_an_answer_for_which_the_context_had_no_room_is_asked_for_again(server: ChatServer, cut: Reply) -> None:
    async def full(chat: Chat, body: dict[str, Any]) -> None:
        await chat.event({"usage": {"prompt_tokens": 510, "completion_tokens": 2}})
        await cut(chat, body)

    server.script.append(full)
    async with talking(server) as engine:
        assert (await engine.generate(CONVERSATION, Sampling())).text == "да"
    assert len(server.asked[1]["messages"]) < len(server.asked[0]["messages"])


# Thoughts

REASONED = {"choices": [choice({"reasoning_content": "хм"})]}


@pytest.mark.parametrize(
    "thought", [[chunk("<think>"), chunk("хм")], [REASONED], [chunk("хм"), chunk("</think>"), chunk("да")]]
)
async def test_a_model_that_thinks_all_the_same_gets_room_for_it(server: ChatServer, thought: list[Any]) -> None:
    server.probed = streams(*thought, chunk(finish="stop"))
    async with talking(server, max_thought_tokens=100) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["max_tokens"] == 107


async def test_one_that_does_not_think_gets_none(server: ChatServer) -> None:
    async with talking(server, max_thought_tokens=100) as engine:
        await engine.generate(QUESTION, SAMPLING)
    assert server.asked[0]["max_tokens"] == 7


@pytest.mark.parametrize("thought", [[chunk("<think>хм, ")], [REASONED], [chunk("<thi")]])
async def test_a_thought_that_takes_all_the_room_gets_more(server: ChatServer, thought: list[Any]) -> None:
    server.script.append(streams(*thought, chunk(finish="length")))
    async with talking(server, max_thought_tokens=100) as engine:
        assert (await engine.generate(QUESTION, SAMPLING)).text == "да"
    assert [asked["max_tokens"] for asked in server.asked] == [7, 107]


async def test_no_answer_is_made_of_a_thought(server: ChatServer) -> None:
    server.script.extend([streams(chunk("<think>\nOkay, the user"), chunk(finish="length"))] * 9)
    async with talking(server) as engine:
        with pytest.raises(Reject, match="GENERATE_MAX_THOUGHT_TOKENS"):
            await engine.generate(QUESTION, SAMPLING)
    assert len(server.asked) == 2


async def test_openais_own_way_to_say_that_a_thought_took_all_counts_like_it(server: ChatServer) -> None:
    no_room = refusal(400, message="Could not finish the message because max_tokens or model output limit was reached.")
    server.script.append(no_room)
    async with talking(server, max_thought_tokens=100) as engine:
        assert (await engine.generate(QUESTION, SAMPLING)).text == "да"
    assert [asked["max_tokens"] for asked in server.asked] == [7, 107]


async def test_thoughts_do_not_count_as_the_answer(server: ChatServer) -> None:
    server.probed = streams(chunk("<think>"))
    thought = [chunk("хм, хм "), *[chunk(f"{n} ") for n in range(50)], chunk("</think>")]
    answer = [chunk(f"слово{n} ") for n in range(30)]
    server.script.append(streams(chunk("<think>"), *thought, *answer, chunk(finish="stop")))
    async with talking(server) as engine:
        given = await engine.generate(QUESTION, SAMPLING)
    assert given.text.startswith("слово0 слово1")
    assert "слово9" not in given.text
    assert given.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("opens", [True, False])
async def test_nothing_is_told_of_a_thought(server: ChatServer, opens: bool) -> None:
    seen: list[str] = []
    if opens:
        server.probed = streams(chunk("хм</think>"), chunk("да"), chunk(finish="stop"))
    thought = [] if opens else [chunk("<th"), chunk("ink>")]
    thought += [chunk("тайное "), chunk("слово "), chunk("</thi"), chunk("nk>\n\n")]

    async def on_progress(text: str) -> None:
        seen.append(text)

    server.script.append(streams(*thought, chunk("Вот "), chunk("ответ."), chunk(finish="stop")))
    async with talking(server) as engine:
        answer = await engine.generate(
            QUESTION, SAMPLING.model_copy(update={"max_new_tokens": 60}), on_progress=on_progress
        )
    assert answer.text == "Вот ответ."
    assert all("Вот ответ.".startswith(text) for text in seen)


# The system message


def no_system(status: int) -> Reply:
    async def reply(chat: Chat, body: dict[str, Any]) -> None:
        if body["messages"][0]["role"] == "system":
            await refusal(status, message="System role not supported")(chat, body)
        else:
            await says("да")(chat, body)

    return reply


PERSONA = "Ты кот."


async def test_the_persona_is_sent_as_the_system_message(server: ChatServer) -> None:
    async with talking(server) as engine:
        await engine.generate(QUESTION, SAMPLING, persona=PERSONA)
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": PERSONA},
        {"role": "user", "content": "секрет"},
    ]


@pytest.mark.parametrize("status", [400, 500])
async def test_where_a_models_template_takes_no_system_message_the_persona_precedes_the_question(
    server: ChatServer, status: int
) -> None:
    server.probed = no_system(status)
    server.script += [no_system(status)] * 3
    with capture_logs() as logs:
        async with talking(server) as engine:
            for _ in range(2):
                assert (await engine.generate(QUESTION, SAMPLING, persona=PERSONA)).text == "да"
    assert [body["messages"] for body in server.asked[1:]] == [[{"role": "user", "content": "Ты кот.\n\nсекрет"}]] * 2
    assert [line["event"] for line in adapted(logs)] == ["openai.system_role_refused"]


async def test_a_question_that_is_refused_for_its_words_changes_nothing(server: ChatServer) -> None:
    server.script.append(refusal(400, message="System role not supported"))
    async with talking(server) as engine:
        with pytest.raises(Reject):
            await engine.generate(QUESTION, SAMPLING, persona=PERSONA)
        await engine.generate(QUESTION, SAMPLING, persona=PERSONA)
    assert server.asked[-1]["messages"][0] == {"role": "system", "content": PERSONA}


async def test_a_server_that_refuses_everything_for_a_while_is_asked_with_a_system_message_again(
    server: ChatServer,
) -> None:
    async with talking(server) as engine:
        server.probed = refusal(500)
        server.script.append(refusal(500))
        with pytest.raises(Retry):
            await engine.generate(QUESTION, SAMPLING, persona=PERSONA)
        server.probed = None
        await engine.generate(QUESTION, SAMPLING, persona=PERSONA)
    assert server.asked[-1]["messages"][0] == {"role": "system", "content": PERSONA}
