"""The questions that the voice is asked: `texts/voice/LIST.txt`, one a line, an empty line between talks.

A talk of one line is a question by itself; a line that begins with # is a comment.
"""

from benchmarks.dialogues import TEXTS
from events.errors import TimokhaError

UNSEEN = ("test", "second")
"""Nobody who makes a voice reads these."""
LISTS = (*UNSEEN, "halfway")
"""`halfway` is for checks while a voice is made."""

Talk = list[str]


def read_list(name: str) -> list[Talk]:
    """The questions of each talk. Raises TimokhaError if there is no such list."""
    if name not in LISTS:
        raise TimokhaError(f"VOICE_LIST={name} is no list of questions: it is one of {', '.join(LISTS)}")
    return talks((TEXTS / "voice" / f"{name}.txt").read_text(encoding="utf-8"))


def talks(text: str) -> list[Talk]:
    made: list[Talk] = [[]]
    for line in map(str.strip, text.splitlines()):
        if not line:
            made.append([])
        elif not line.startswith("#"):
            made[-1].append(line)
    return [talk for talk in made if talk]
