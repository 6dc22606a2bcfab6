"""`python -m training.voice`: what `make voice` does beside the product's own commands."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from events.errors import TimokhaError
from training.voice import report, telegram
from training.voice.talks import LANGUAGES, TALKS, BadTalks, read


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m training.voice", description=__doc__)
    parser.add_argument("--talks", type=Path, default=TALKS, help="the directory of the talks")
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("report", help="how many talks there are, how varied they are, and which lines are templates")
    export = steps.add_parser("export", help="write them as Telegram Desktop would")
    export.add_argument("--out", type=Path, required=True, help="the directory for result.json")
    losses = steps.add_parser("losses", help="what train prepare did not take of them")
    losses.add_argument("--data", type=Path, required=True, help="the directory that train prepare wrote")
    given = parser.parse_args(arguments)
    try:
        for line in _step(given.step, given.talks, given):
            print(line)  # noqa: T201 -- it is what was asked for
    except TimokhaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _step(step: str, directory: Path, given: object) -> list[str]:
    talks = read(directory)
    if step == "report":
        return report.lines(talks)
    if not talks:
        raise BadTalks(f"{directory} has no talks: they are in {'/*.txt or '.join(LANGUAGES)}/*.txt")
    if step == "export":
        return [f"{len(talks)} talks: {telegram.write(talks, Path(vars(given)['out']))}"]
    from training.voice.losses import losses  # noqa: PLC0415 -- the others need none of the training's packages

    return losses(talks, Path(vars(given)["data"])).lines()


if __name__ == "__main__":
    sys.exit(main())
