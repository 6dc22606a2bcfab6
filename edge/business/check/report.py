"""What came of each assumption, told as it becomes known."""

from collections import Counter
from collections.abc import Callable

from edge.business.check.assumptions import Assumption

HELD, DIFFERED, SKIPPED = "held", "did not hold", "skipped"


class Report:
    """`say` prints a line. The first verdict on an assumption counts."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.verdicts: dict[Assumption, str] = {}

    def judge(self, assumption: Assumption, is_held: bool, seen: str) -> None:
        """Report that an assumption held, or what was seen instead."""
        if is_held:
            self._set(assumption, HELD, f" ({seen})" if seen else "")
        else:
            self._set(assumption, DIFFERED, f"; seen instead: {seen}; it rests on {assumption.page}")

    def expect(self, assumption: Assumption, wanted: str, found: str) -> None:
        """Report whether Telegram's answer to a call was `wanted`: the name of an error, or empty if it was taken."""
        is_held = found == wanted
        self.judge(assumption, is_held, "" if is_held else found or "the call was taken")

    def skip(self, assumption: Assumption, why: str) -> None:
        """Report that an assumption was not tested."""
        self._set(assumption, SKIPPED, f"; {why}")

    def finish(self) -> bool:
        """Report the rest as skipped, and the sum. Return whether all held."""
        for assumption in Assumption:
            self.skip(assumption, "an earlier step was not done")
        count = Counter(self.verdicts.values())
        self._say(f"{count[HELD]} of {len(Assumption)} held, {count[DIFFERED]} did not, {count[SKIPPED]} skipped")
        return count[HELD] == len(Assumption)

    def _set(self, assumption: Assumption, verdict: str, more: str) -> None:
        if assumption not in self.verdicts:
            self.verdicts[assumption] = verdict
            self._say(f"{verdict}: {assumption.key}: {assumption.says}{more}")
