"""The talks of the voice that ship: readable, and no templates."""

from training.voice.skeletons import templates
from training.voice.talks import read


def test_no_skeleton_stands_more_than_three_times():
    found = {kind: {key: places[:4] for key, places in keys.items()} for kind, keys in templates(read()).items()}
    assert found == {"questions": {}, "answers": {}}
