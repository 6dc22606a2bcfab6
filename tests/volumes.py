"""deploy/backup.sh and deploy/restore.sh without an engine: the volume is a directory, and docker does nothing else."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKER = """\
#!/bin/sh
echo "$*" >>"$ASKED"
case $* in
    *" run "*)
        for script; do :; done
        exec bash -eu -c "$(printf %s "$script" | sed "s#/data#$VOLUME#g")"
        ;;
    *" up "*) exit "${UP_FAILS:-0}" ;;
    *" ps "*)
        for wanted; do :; done
        for service in $RUNNING; do
            case $wanted in "$service" | --services) echo "$service" ;; esac
        done | case $* in *" --services") sort -u ;; *) cat ;; esac
        exit "${PS_FAILS:-0}"
        ;;
esac
"""
BUSYBOX = """\
#!/bin/sh
exec "$@"
"""


@dataclass
class Volume:
    """`store` is what NATS has as /data; `running`: the service of each container; `directory` is for the stand-ins."""

    directory: Path
    store: Path
    running: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def backup(self, file: Path) -> subprocess.CompletedProcess[str]:
        return self.run("backup.sh", file)

    def restore(self, file: Path) -> subprocess.CompletedProcess[str]:
        return self.run("restore.sh", file)

    def run(self, script: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """What it asked of docker is in `asked`."""
        self.directory.mkdir(exist_ok=True)
        for name, text in (("docker", DOCKER), ("busybox", BUSYBOX)):
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o755)
        asked = self.directory / "asked"
        asked.write_text("")
        environment = {
            **os.environ,
            "PATH": f"{self.directory}:{os.environ['PATH']}",
            "ASKED": str(asked),
            "VOLUME": str(self.store),
            "RUNNING": " ".join(self.running),
        }
        command = ["sh", ROOT / "deploy" / script, *map(str, arguments)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        self.asked = [
            line for line in asked.read_text().splitlines() if " run " not in line and line.startswith("compose")
        ]
        if check:
            assert ended.returncode == 0, ended.stderr
        return ended
