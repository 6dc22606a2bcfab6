"""The conversation over the wire: real processes, and stock pyrogram on the visitor's side."""

import asyncio

import pytest

from edge.sandbox.visitor import connect
from edge.userbot import phrases
from edge.userbot.rules import DEFAULT_PREFIX

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_question_gets_typing_a_thinking_line_and_the_answer_as_a_reply_to_that(running) -> None:
    visitor = running.visitor()
    async with connect(running.telegram, running.phone(visitor)) as client:
        await client.resolve_peer("timokha")
        question = await client.send_message("timokha", "тимоха,\n как дела?")
        await running.until(lambda: len(running.written(visitor)) == 2)
        got = [message async for message in client.get_chat_history("timokha")]
    answer, thinking, asked = got
    assert asked.id == question.id
    assert thinking.text in {phrases.thinking("ru", str(number)) for number in range(200)}
    assert thinking.reply_to_message_id == question.id
    assert answer.text == "как дела?"
    assert answer.reply_to_message_id == thinking.id
    assert "typing" in running.telegram.typing(running.owner.id, visitor.id)


async def test_the_prefix_with_no_text_gets_a_hint(running) -> None:
    visitor = running.visitor()
    running.says(visitor, "Тимоха,")
    await running.until(lambda: running.written(visitor))
    assert running.answers(visitor) == [phrases.hint("ru", DEFAULT_PREFIX)]


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_help_comes_even_while_busy_in_the_users_language_where_telegram_tells_it(running, language) -> None:
    """It tells bots; a user account speaks USERBOT_LANGUAGE."""
    visitor = running.visitor(language)
    running.says(visitor, "Тимоха, вопрос")
    await running.until(lambda: running.written(visitor))
    running.says(visitor, "/help")
    await running.until(lambda: len(running.answers(visitor)) == 2)
    spoken = language if running.owner.bot else "ru"
    assert running.answers(visitor) == [phrases.help_text(spoken, DEFAULT_PREFIX), "вопрос"]


async def test_deleting_cancels_what_is_being_answered(running) -> None:
    visitor = running.visitor()
    running.says(visitor, "Тимоха, секрет")
    await running.until(lambda: running.written(visitor))
    running.says(visitor, "/delete_history")
    await running.until(lambda: len(running.answers(visitor)) == 1)
    running.says(visitor, "Тимоха, снова")
    await running.until(lambda: len(running.answers(visitor)) == 2)
    assert running.answers(visitor) == [phrases.deleted("ru", cancelled=True), "снова"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("7", phrases.context_length_set("ru", 7)),
        ("0", phrases.context_length_set("ru", 0)),
        ("51", phrases.context_length_refused("ru")),
        ("-1", phrases.context_length_refused("ru")),
        ("много", phrases.context_length_refused("ru")),
    ],
)
async def test_the_context_length_is_set_or_refused_in_words(running, argument, said) -> None:
    visitor = running.visitor()
    running.says(visitor, f"/set_context_length {argument}")
    await running.until(lambda: running.written(visitor))
    assert running.answers(visitor) == [said]


async def test_any_other_text_gets_nothing_and_nothing_is_ever_marked_as_read(running) -> None:
    visitor = running.visitor()
    running.says(visitor, "просто болтовня")
    running.says(visitor, "Тимоха, вопрос")
    await running.until(lambda: running.answers(visitor))
    assert len(running.written(visitor)) == 2
    assert running.telegram.read_up_to(running.owner.id, visitor.id) == 0


async def test_two_questions_at_once_by_one_user_give_one_answer_and_by_two_users_two(running) -> None:
    first, second = running.visitor(), running.visitor()
    running.says(first, "Тимоха, раз")
    running.says(first, "Тимоха, два")
    running.says(second, "Тимоха, три")
    await running.until(lambda: running.answers(first) and running.answers(second))
    await running.free(first)
    running.says(first, "Тимоха, четыре")
    await running.until(lambda: len(running.answers(first)) == 2)
    assert running.answers(first) == ["раз", "четыре"]
    assert running.answers(second) == ["три"]


async def test_a_long_answer_comes_in_parts_and_in_order(running) -> None:
    visitor = running.visitor()
    text = " ".join(str(number) for number in range(1000, 1880))
    running.says(visitor, f"Тимоха, {text}")
    await running.until(lambda: len(running.answers(visitor)) == 2)
    thinking, *parts = running.written(visitor)
    assert " ".join(part.text for part in parts) == text
    assert all(len(part.text) <= 4096 and part.reply_to == thinking.id for part in parts)


async def test_bots_and_the_accounts_own_messages_are_never_answered(running) -> None:
    bot, friend, visitor = running.visitor(bot=True), running.visitor(), running.visitor()
    running.says(bot, "Тимоха, вопрос")
    running.telegram.send(running.owner.id, friend.id, "Тимоха, это пишет владелец")
    running.telegram.send(running.owner.id, running.owner.id, "Тимоха, заметка себе")
    running.says(visitor, "Тимоха, настоящий вопрос")
    await running.until(lambda: running.answers(visitor))
    assert running.answers(friend) == ["Тимоха, это пишет владелец"]
    assert running.answers(visitor) == ["настоящий вопрос"]
    assert running.written(bot) == []
    assert len(running.telegram.messages(running.owner.id, running.owner.id)) == 1


async def test_one_question_is_one_trace_with_its_spans_in_order(running) -> None:
    visitor = running.visitor()
    question = running.says(visitor, "Тимоха, вопрос")
    request_id = f"{running.owner.id}.{visitor.id}.{question.id}.0"
    await running.until(lambda: running.answers(visitor))
    wanted = [
        "receive telegram",
        "send timokha.requests",
        "process timokha.requests",
        "chat echo",
        "send timokha.replies",
        "process timokha.replies",
        "send telegram",
    ]

    def journey() -> list[dict]:
        spans = running.spans()
        first = [s for s in spans if s["name"] == wanted[0] and s["attributes"]["timokha.request_id"] == request_id]
        traces = {span["context"]["trace_id"] for span in first}
        return sorted((s for s in spans if s["context"]["trace_id"] in traces), key=lambda span: span["start_time"])

    def complete() -> bool:
        # The answer is the second message of the trace. Each process writes its spans in batches of its own.
        names = [span["name"] for span in journey()]
        return set(wanted) <= set(names) and names.count("send telegram") == 2

    async with asyncio.timeout(20):
        while not complete():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.1)
    spans = journey()
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    order = [span["name"] for span in spans if span["name"] in wanted]
    order.remove("send telegram")  # the thinking line goes out as soon as the request is published
    assert order == wanted
    assert "вопрос" not in "".join(str(span) for span in spans)
