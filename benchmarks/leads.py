"""`python -m benchmarks.leads EXPORT COUNT`: the COUNT who say most in each play, as `prepare --owner` takes them.

docs/training.md measures with the leads of rusdracor's plays as one owner; its export has a chat for each play.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def main() -> None:
    """Write their ids in one line, with commas."""
    export, count = Path(sys.argv[1]), int(sys.argv[2])
    plays = json.loads(export.read_text(encoding="utf-8"))["chats"]["list"]
    ids = (who for play in plays for who in leads(play, count))
    sys.stdout.write(",".join(ids) + "\n")


def leads(play: dict[str, Any], count: int) -> list[str]:
    """By characters of text."""
    said: Counter[str] = Counter()
    for message in play["messages"]:
        said[message["from_id"]] += len(message["text"])
    return [who for who, _ in said.most_common(count)]


if __name__ == "__main__":
    main()
