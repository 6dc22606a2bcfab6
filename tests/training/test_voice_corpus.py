"""The talks of the voice that ship: readable, and no templates."""

from functions.generate.models.voices import DIRECTORY
from functions.generate.prompts import near_examples
from training.voice.report import find_templates
from training.voice.talks import read_talks, talk_texts


def test_no_skeleton_stands_more_than_three_times():
    found = {
        kind: {key: places[:4] for key, places in keys.items()} for kind, keys in find_templates(read_talks()).items()
    }
    assert found == {"questions": {}, "answers": {}}


def test_what_the_voice_shows_are_the_talks_as_they_are():
    """`python -m training.voice examples --data functions/generate/voice` writes them, and so does `make voice`."""
    assert near_examples.read_talks(DIRECTORY) == [talk_texts(talk) for talk in read_talks()]
