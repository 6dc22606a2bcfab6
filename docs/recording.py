"""Records the demo for README, and the trace of its last answer, as a terminal shows them: `make recording`."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

DOCS = Path(__file__).parent
LINES = "Тимоха, привет! Как дела?\n/help\n/set_context_length 4\nТимоха, какая столица Франции?\n/delete_history\n"
WIDTH = 92
# A picture in a README may ask no other server for its font.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
STYLES = {"you>": "cyan", "bot>": "green", "bot~": "dim green", "span": "bold"}
"""By the first word of a line."""


def main() -> None:
    """Run the demo, and draw what it prints."""
    demo = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--trace"],
        input=LINES,
        env=os.environ | {"COLUMNS": str(WIDTH)},
        capture_output=True,
        text=True,
        check=True,
    )
    _draw("demo", "make demo", f"$ printf '…' | make demo\n{demo.stdout}")
    _draw("trace", "timokha trace --last", f"$ timokha trace --last\n{_last_trace(demo.stderr)}")


def _last_trace(told: str) -> str:
    """Return the lines of the last waterfall among what the demo tells about itself."""
    lines = told.splitlines()
    begin = max(number for number, line in enumerate(lines) if line.startswith("trace ")) - 1
    return "\n".join(line for line in lines[begin:] if not line.startswith("timokha:"))


def _draw(name: str, title: str, shown: str) -> None:
    console = Console(record=True, width=WIDTH, file=StringIO())
    for line in shown.rstrip().splitlines():
        style = STYLES.get(line.partition(" ")[0], "")
        # Some viewers trim a text: what a line is indented by is a text of its own.
        indent = line[: len(line) - len(line.lstrip())]
        console.print(Text.assemble((indent, "dim"), (line.lstrip(), style)))
    console.save_svg(str(DOCS / f"{name}.svg"), title=title, theme=MONOKAI, code_format=FORMAT, unique_id=name)


if __name__ == "__main__":
    main()
