"""The chart in deploy/helm, rendered: what a release would create, and why helm refuses values."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/timokha"
VALUES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
"""The values files that are tested, which are examples too."""


@dataclass(frozen=True)
class Helm:
    program: Path
    directory: Path

    def lint(self, name):
        """What helm says, if it finds a fault, or nothing."""
        done = self._run("lint", "--strict", "--values", CHART / f"ci/{name}.yaml", CHART)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def manifests(self, name, **values):
        """What a release named `timokha` with a values file creates, hooks too; `values` replace top-level ones."""
        return [one for one in yaml.safe_load_all(self.text(name, **values)) if one]

    def text(self, name, **values):
        done = self._template(name, values)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, name, **values):
        done = self._template(name, values)
        assert done.returncode != 0, "helm has taken it"
        return done.stderr

    def notes(self, name):
        options = ["--values", CHART / f"ci/{name}.yaml", "--dry-run=client"]
        done = self._run("install", "timokha", CHART, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\nNOTES:\n")[2]

    def _template(self, name, values):
        changed = [f"--set-json={part}={json.dumps(value)}" for part, value in values.items()]
        return self._run("template", "timokha", CHART, "--values", CHART / f"ci/{name}.yaml", *changed)

    def _run(self, *arguments):
        # Away from the configuration of whoever runs the tests.
        environment = {f"HELM_{what}_HOME": str(self.directory) for what in ("CACHE", "CONFIG", "DATA")}
        environment["KUBECONFIG"] = str(self.directory / "none")
        command = [self.program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


def pods(manifests) -> Iterator[tuple[dict, dict]]:
    """Each manifest that makes pods, and the pod's specification."""
    for manifest in manifests:
        if template := manifest["spec"].get("template") if "spec" in manifest else None:
            yield manifest, template["spec"]


def containers(manifests) -> Iterator[tuple[dict, dict, dict]]:
    """Each container: the manifest, the pod's specification, its own."""
    for manifest, pod in pods(manifests):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield manifest, pod, container


def of_kind(manifests, kind):
    return [manifest for manifest in manifests if manifest["kind"] == kind]
