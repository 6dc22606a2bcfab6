"""`python -m training.voice`: the steps of `make voice` that are not commands of the product."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from events.errors import TimokhaError
from functions.generate.models.card import EXAMPLES_FILE
from functions.generate.models.voices import DIRECTORY
from functions.generate.prompts import near_examples
from training.voice import report, telegram
from training.voice.talks import LANGUAGES, TALKS, BadTalks, read_talks, talk_texts


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m training.voice", description=__doc__)
    parser.add_argument("--talks", type=Path, default=TALKS, help="the directory of the talks")
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("report", help="the number of talks, their variety, and lines that are templates")
    export = steps.add_parser("export", help="write the talks as Telegram Desktop would export them")
    export.add_argument("--out", type=Path, required=True, help="the directory for result.json")
    losses = steps.add_parser("losses", help="what train prepare dropped or changed")
    losses.add_argument("--data", type=Path, required=True, help="the directory that train prepare wrote")
    examples = steps.add_parser("examples", help="write the talks as near examples for prompts")
    examples.add_argument("--data", type=Path, required=True, help="the directory that train prepare wrote")
    vary = steps.add_parser("vary", help="rephrase most questions, so that the model learns to use near examples")
    vary.add_argument("--data", type=Path, required=True, help="the directory that train prepare wrote")
    ship = steps.add_parser("ship", help="make the voice that the product ships from a training")
    ship.add_argument("--run", type=Path, required=True, help="the directory that train fit wrote")
    ship.add_argument("--model", type=Path, required=True, help="the directory that train export wrote")
    ship.add_argument("--to", type=Path, default=DIRECTORY, help="the voice's directory")
    given = parser.parse_args(arguments)
    try:
        for line in _step(given):
            print(line)  # noqa: T201 -- the output of the command
    except TimokhaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _step(given: Namespace) -> list[str]:
    talks = read_talks(given.talks)
    if given.step == "ship":
        from training.voice.shipping import ship  # noqa: PLC0415 -- the others need none of the training's packages

        return [f"the voice is in {ship(given.run, given.model, given.to, talks=talks)}"]
    if given.step == "report":
        return report.report_lines(talks)
    if not talks:
        raise BadTalks(f"{given.talks} has no talks: they belong in {'/*.txt or '.join(LANGUAGES)}/*.txt")
    if given.step == "export":
        return [f"{len(talks)} talks: {telegram.write_export(talks, given.out)}"]
    if given.step == "examples":
        near_examples.write_talks(given.data, map(talk_texts, talks))
        return [f"{len(talks)} talks: {given.data / EXAMPLES_FILE}"]
    if given.step == "vary":
        from training.voice.variants import vary_questions  # noqa: PLC0415 -- as above

        return [f"{vary_questions(given.data)} questions are rephrased"]
    from training.voice.lost_answers import find_lost_answers  # noqa: PLC0415 -- the others need none of the training's packages

    return find_lost_answers(talks, given.data).lines()


if __name__ == "__main__":
    sys.exit(main())
