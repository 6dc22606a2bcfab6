"""What dashboard and alerts ask Prometheus for is what the processes measure."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from opentelemetry.metrics import NoOpMeter

from events.runtime.clock import SystemClock
from observability import names
from observability.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability"
RULES = yaml.safe_load((FOLDER / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboards/timokha.json").read_text())
EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{panel["title"]: " ".join(target["expr"] for target in panel["targets"]) for panel in DASHBOARD["panels"]},
}
METRIC = re.compile(r"\b(?:timokha|messaging|gen_ai|process)_[a-z_]+")


class Noting(NoOpMeter):
    """Notes which instruments are made: name → unit and kind."""

    def __init__(self) -> None:
        super().__init__("noting")
        self.made: dict[str, tuple[str, str]] = {names.UPTIME: ("s", "gauge")}

    def create_histogram(self, name, unit="", *args, **kwargs):
        self.made[name] = (unit, "histogram")
        return super().create_histogram(name, unit)

    def create_counter(self, name, unit="", *args, **kwargs):
        self.made[name] = (unit, "counter")
        return super().create_counter(name, unit)

    def create_up_down_counter(self, name, unit="", *args, **kwargs):
        self.made[name] = (unit, "gauge")
        return super().create_up_down_counter(name, unit)


def instruments() -> dict[str, tuple[str, str]]:
    meter = Noting()
    Metrics(meter, SystemClock())
    return meter.made


def series() -> set[str]:
    """Every name that the collector's Prometheus exporter makes of our instruments."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
    return {
        name.replace(".", "_") + ("_seconds" if unit == "s" else "") + suffix
        for name, (unit, kind) in instruments().items()
        for suffix in suffixes[kind]
    }


def labels() -> set[str]:
    """Every attribute that our metrics can have, and what the exporter adds."""
    ours = {value.replace(".", "_") for value in vars(names).values() if isinstance(value, str)}
    return ours | {"le", "service_name", "service_instance_id"}


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_every_panel_and_alert_asks_for_metrics_and_labels_that_exist(title):
    expression = EXPRESSIONS[title]
    without_labels = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", expression)
    used = set(METRIC.findall(without_labels))
    assert used
    assert used <= series()
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
    matched = set(re.findall(r"([a-z_]+)!?=\"", expression))
    assert grouped | matched <= labels()


def test_the_dashboard_shows_every_metric():
    shown = set(METRIC.findall(" ".join(EXPRESSIONS.values())))
    stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in series()} <= stems


def test_what_goes_into_the_collector_comes_out_for_jaeger_and_prometheus():
    config = yaml.safe_load((FOLDER / "collector/collector.yaml").read_text())
    scraped = yaml.safe_load((FOLDER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    port = config["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    assert scraped[0]["static_configs"][0]["targets"] == [f"collector:{port}"]
    for pipeline in config["service"]["pipelines"].values():
        for kind, components in pipeline.items():
            assert set(components) <= set(config[kind])


def test_panels_do_not_overlap_and_have_ids_of_their_own():
    panels = DASHBOARD["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_says_where_to_read_what_to_do():
    page = (ROOT / "docs/operations.md").read_text()
    headings = {
        re.sub(r"[^\w-]", "", line.lstrip("# ").lower().replace(" ", "-"))
        for line in page.splitlines()
        if line[:1] == "#"
    }
    for rule in RULES:
        file, anchor = rule["annotations"]["runbook"].split("#")
        assert file == "docs/operations.md"
        assert anchor in headings
        assert f"`{rule['alert']}`" in page


def test_the_page_explains_every_span_and_metric():
    page = (ROOT / "docs/operations.md").read_text()
    assert [name for name in instruments() if f"`{name}`" not in page] == []
    steps = {names.STORE_QUESTION, names.AWAIT_TURN, names.START_ANSWER, names.AWAIT_ANSWER, names.DELIVER_ANSWER}
    assert [name for name in steps if f"`{name}`" not in page] == []


@pytest.mark.skipif(
    shutil.which("promtool") is None and not os.environ.get("CI"),
    reason="promtool is not installed (Debian: apt install prometheus)",
)
def test_the_alerts_fire_when_they_should():
    command = ["promtool", "test", "rules", "alerts_test.yml"]
    result = subprocess.run(command, cwd=FOLDER / "prometheus", capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
