"""Judge a run by its history: `python -m tests.promises FILE`.

Exit code 1 if a promise was broken, 2 if the file can't be read.
"""

import sys
from pathlib import Path

from tests.promises.jsonl import UnreadableHistory, read
from tests.promises.judgement import judge


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.promises FILE", file=sys.stderr)
        return 2
    try:
        judgement = judge(read(Path(arguments[0])))
    except (UnreadableHistory, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(judgement.kinds)} questions")
    print("\n".join(f"{name}: {count}" for name, count in judgement.counts().items() if count))
    print("\n".join(judgement.faults) or "no promise was broken")
    return 1 if judgement.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
