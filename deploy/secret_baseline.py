"""Take all that looks like a secret into .secrets.baseline: `make secrets`. Without line numbers, which change."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".secrets.baseline"


def slim(baseline: dict[str, Any]) -> dict[str, Any]:
    """Return a baseline without what changes often: detect-secrets has an option for that, but not for an update."""
    results = {
        file: [{name: value for name, value in one.items() if name != "line_number"} for one in found]
        for file, found in sorted(baseline["results"].items())
    }
    filters = [one for one in baseline["filters_used"] if not one["path"].endswith(".is_baseline_file")]
    kept = {name: value for name, value in baseline.items() if name != "generated_at"}
    return kept | {"filters_used": filters, "results": results}


def main() -> int:
    tool = Path(sys.executable).with_name("detect-secrets")
    command = [str(tool), "scan", "--no-verify", "--baseline", BASELINE.name]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - ours
    if code == 0:
        found = slim(json.loads(BASELINE.read_text(encoding="utf-8")))
        BASELINE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
