"""The owner says who answers, and the worker reads it."""

PERSONA = "Ты Мария, врач из Казани."


async def test_the_persona_reaches_the_worker_whose_trace_has_it_if_text_may_be_there(make_product) -> None:
    captured = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
    made = await make_product(USERBOT_PERSONA=f" {PERSONA}\n", **captured)
    visitor = made.visitor()
    made.says(visitor, "Тимоха, привет")
    await made.until(lambda: made.answers(visitor) == ["привет"])
    await made.stop()
    [chat] = [span for span in made.spans() if span["name"] == "chat echo"]
    assert chat["attributes"]["gen_ai.system_instructions"] == f'[{{"type": "text", "content": "{PERSONA}"}}]'
    assert PERSONA not in made.log("userbot") + made.log("generate")
