"""Write `evaluation.md`: the scores as a table and a plot, and the answers side by side."""

from collections.abc import Sequence
from pathlib import Path

from events.files import write_whole
from training import plots
from training.evaluation.leaks import Leaks
from training.evaluation.result import Distances, Evaluation, Interval, Score
from training.examples import Example

REPORT = "evaluation.md"
_PLOT = "evaluation.png"
_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in r"\`*_[]|~$<&"})
"""Characters that can be markup inside a line; others stay unescaped and readable."""

_MEANING = {
    "bits_per_byte": "how surprising the true answers are, over any tokenizer; lower is better",
    "recall_at_1": "the true answer is found the likeliest of ten; higher is better",
    "recall_at_5": "… or among the five likeliest; higher is better",
    "distinct_1": "share of different words in the answers; near the true answers' is best",
    "distinct_2": "share of different pairs of words; near the true answers' is best",
    "length_ratio": "length of the answers in lengths of the true ones; 1 is best",
    "verbatim": "share of answers that repeat a long one of the training data; 0 is best",
    "memorised": "share of long training answers given word for word; 0 is best",
    "likeness": "style of the answers: 0 is as far from the owner's as other people's, 1 the owner's own",
}


def write_report(
    run: Path, evaluation: Evaluation, samples: Sequence[Example], before: Sequence[str], after: Sequence[str]
) -> None:
    plots.draw_pairs(
        run / _PLOT,
        {name: (score.before, score.after) for name, score in evaluation.scores.items()},
        labels=("before", "after"),
        title="Scores before and after training",
    )
    lines = [
        "# Evaluation",
        "",
        f"{evaluation.dialogues} held-out dialogues for bits per byte, {evaluation.samples} of them for the rest. "
        f"Data: `{evaluation.data_sha256}`.",
        "",
        *_scores(evaluation),
        *_change("bits_per_byte", evaluation.bits_per_byte),
        *_change("likeness", evaluation.likeness),
        describe_style(evaluation),
        "",
        f"The true answers' distinct_1 is {evaluation.true_distinct_1:.3f}, their distinct_2 "
        f"{evaluation.true_distinct_2:.3f}.",
        "",
        f"![Scores]({_PLOT})",
        "",
        *_canaries(evaluation.canaries),
        *_samples(samples, before, after),
    ]
    write_whole(run / REPORT, "\n".join(lines) + "\n")


def _scores(evaluation: Evaluation) -> list[str]:
    return [
        "| score | before | after | what it says |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {_value(score.before, score.before_range)} | {_value(score.after, score.after_range)} "
            f"| {_MEANING[name]} |"
            for name, score in evaluation.scores.items()
        ),
        "",
        "In brackets: 95 % of what other dialogues of the same person would give. Without: not known.",
        "",
    ]


def _samples(samples: Sequence[Example], before: Sequence[str], after: Sequence[str]) -> list[str]:
    return [
        "## Samples",
        "",
        "| question | true answer | before | after |",
        "| --- | --- | --- | --- |",
        *(
            table_row(example.context[-1].text, example.answer, old, new)
            for example, old, new in zip(samples, before, after, strict=True)
        ),
    ]


def _value(value: float, between: Interval | None) -> str:
    return f"{value:.3f}" + (f" ({between[0]:.3f} to {between[1]:.3f})" if between else "")


def _change(name: str, score: Score | None) -> list[str]:
    """Return a line on what training changed, and whether that may be chance."""
    if score is None or score.change_range is None:
        return []
    low, high = score.change_range
    verdict = "; it may be chance" if low <= 0 <= high else ""
    return [f"{name} changed by {score.after - score.before:+.3f} ({low:+.3f} to {high:+.3f}){verdict}.", ""]


def describe_style(evaluation: Evaluation) -> str:
    """Return one line on what likeness was measured on, or why there is no score."""
    style = evaluation.style
    if style is None:
        return "No likeness: there is no text to compare."
    if evaluation.likeness:
        return (
            f"Likeness is measured on {style.letters_compared} letters; distances by letters "
            f"{_distances(style.letters)}, by words {_distances(style.words)}."
        )
    if style.answers_needed is None:
        return "No likeness: the test part has too little text to tell the owner's from other people's."
    return (
        "No likeness: to tell the owner's style from other people's takes about "
        f"{style.answers_needed} answers of this length, and {evaluation.samples} were written (TRAINING_SAMPLES)."
    )


def _distances(found: Distances) -> str:
    return (
        f"{found.before:.2f} before and {found.after:.2f} after, "
        f"other people's {found.floor:.2f}, the owner's own {found.ceiling:.2f}"
    )


def _canaries(leaks: Leaks | None) -> list[str]:
    if leaks is None:
        return []
    rows = {**{str(repeats): leak for repeats, leak in leaks.by_repeats.items()}, "all": leaks.overall}
    return [
        "## Canaries",
        "",
        f"Invented secrets learned along: {leaks.overall.canaries}. Exposure is in bits: about 1 if one was not "
        f"learned, {leaks.most_exposure:g} if it is the likeliest of all that it was compared with.",
        "",
        f"| times a pass | secrets | exposure, median | highest | drawn out greedily | in {leaks.attempts} answers |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {times} | {leak.canaries} | {leak.exposure:.1f} | {leak.highest_exposure:.1f} | {leak.extracted:.0%} "
            f"| {leak.extracted_in_attempts:.0%} |"
            for times, leak in rows.items()
        ),
        "",
        *([f"**{leaks.warning}.**", ""] if leaks.warning else []),
    ]


def table_row(*texts: str) -> str:
    """Return a table row of `texts` with markup escaped."""
    return f"| {' | '.join(' '.join(text.translate(_ESCAPED).split()) for text in texts)} |"
