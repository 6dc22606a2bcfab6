"""Memory does not grow with the export."""

import json
import os
import random
import signal
import sys

import pytest

WORDS = ["я", "ты", "мы", "он", "кот", "дом", "река", "вечер", "чай", "дорога", "дождь", "хочу", "думаю", "знаешь"]
PEOPLE = ["me", "ann", "bob"]


def write_export(path, megabytes):
    """A group chat of about that size, with the weight of a real export's fields."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"name": "Большой чат", "type": "private_supergroup", "id": 1, "messages": [')
        number = 0
        while file.tell() < megabytes * 2**20:
            number += 1
            text = " ".join(draw.choices(WORDS, k=draw.randint(2, 14))) + f" {number}"
            item = {
                "id": number,
                "type": "message",
                "date": "2023-11-14T22:13:20",
                "date_unixtime": str(1_600_000_000 + number * draw.randint(20, 40)),
                "from": draw.choice(PEOPLE),
                "from_id": f"user_{draw.choice(PEOPLE)}",
                "text": text,
                "text_entities": [{"type": "plain", "text": text}],
            }
            if number > 10 and draw.random() < 0.3:
                item["reply_to_message_id"] = number - draw.randint(1, 9)
            file.write(("," if number > 1 else "") + json.dumps(item, ensure_ascii=False, indent=1))
        file.write("]}")
    return number


def peak_memory(export, out):
    """Bytes, of `timokha train prepare` in a process of its own."""
    command = [sys.executable, "-m", "cli", "train", "prepare"]
    options = ["--export", str(export), "--owner", "user_me", "--out", str(out)]
    pid = os.posix_spawn(sys.executable, [*command, *options], os.environ)
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:  # the timeout of the test
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss * 1024


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_times_the_export_takes_hardly_more_memory(tmp_path):
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    write_export(small, 20)
    items = write_export(large, 200)
    few, many = peak_memory(small, tmp_path / "few"), peak_memory(large, tmp_path / "many")
    manifest = json.loads((tmp_path / "many/manifest.json").read_text())
    assert manifest["items"] == items
    assert many < 400 * 2**20
    assert many - few < 60 * 2**20
