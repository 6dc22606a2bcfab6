"""Another engine with the default model, which answers when it is asked to, as answering.py does.

`python -m benchmarks.answering_others llamacpp FILE.gguf`, or `genai DIRECTORY`, a prepared model. Says first that it
is loaded; then for each question, a line of JSON with prompts, how long so many answers took at once.
"""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.answer import Answer

LENGTH = 128
"""At least the tokens of a prompt and its answer."""
LLAMA_CPP, GENAI = "llamacpp", "genai"
Answers = Callable[[Sequence[Sequence[int]], int], list[Answer]]


def llama_cpp(file: Path) -> Answers:
    """It counts a prompt's tokens as present, too, which takes it no longer."""
    from benchmarks.llama_cpp import LlamaCpp  # noqa: PLC0415 -- the sides' memory is compared

    server = LlamaCpp(file, LENGTH)
    sampling = {
        "samplers": ["penalties", "top_k", "top_p", "temperature"],
        "presence_penalty": 1.4,
        "repeat_last_n": LENGTH,
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.9,
    }
    return lambda prompts, new: server.answers(prompts, new, sampling)


def genai(directory: Path) -> Answers:
    from benchmarks.genai import Documented  # noqa: PLC0415 -- as above

    pipeline = Documented(directory)
    sampling = {"do_sample": True, "presence_penalty": 1.4, "temperature": 0.7, "top_k": 50, "top_p": 0.9}
    return lambda prompts, new: pipeline.answers(prompts, new, **sampling)


def main() -> None:
    """Answer each line of stdin."""
    kind, model = sys.argv[1:]
    answers = {LLAMA_CPP: llama_cpp, GENAI: genai}[kind](Path(model))
    answers([range(300, 340)], 2)
    say({})
    for line in sys.stdin:
        say(_asked(answers, **json.loads(line)))


def _asked(answers: Answers, prompts: list[list[int]], new: int) -> dict[str, float]:
    written = answers(prompts, new)
    return {
        "seconds": max(one.last for one in written),
        "tokens": sum(one.tokens for one in written),
        "first": statistics.median(one.first for one in written),
    }


def say(what: Any) -> None:
    """Tell it to who has started this process: a `Helper`."""
    print(json.dumps(what), flush=True)  # noqa: T201 -- the helper reads it


if __name__ == "__main__":
    main()
