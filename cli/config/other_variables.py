"""Variables that no settings class reads: those of compose.yaml, of deploy/ and of libraries."""

import os
import re
from contextlib import suppress
from pathlib import Path

import opentelemetry.environment_variables as api
import opentelemetry.sdk.environment_variables as sdk

from events import dotenv, toml_file
from events.dotenv import DOTENV
from events.files import absolute

OTHERS = {
    toml_file.ELSEWHERE: "where `timokha.toml` is, an absolute path; by default in the directory that a command is"
    " started in",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where to send traces and metrics, e.g. http://127.0.0.1:4318; by default nowhere."
    " OpenTelemetry's other variables work as well; none of them is an option",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "where to send metrics if elsewhere, e.g. http://collector:4318/v1/metrics",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "a PEM file with the authority of an https endpoint, if the system does not have"
    " it",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "a PEM file with our own certificate, if the endpoint asks for one",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": "a PEM file with the key of our own certificate, without a password",
    "OTEL_METRICS_EXPORTER": "`none`: traces only",
    "OTEL_TRACES_SAMPLER": "which traces to record, e.g. `parentbased_always_on`; by default all, but during a flood"
    " only some",
    "HF_TOKEN": "a token of an account at huggingface.co, for private models, or those whose terms it has accepted;"
    " the hub's other variables work as well",
    "COMPOSE_PROFILES": "docker compose: what else to start, comma-separated: `rabbitmq` (RabbitMQ and the bridge),"
    " `rabbitmq-workers` (workers on RabbitMQ too), `observability` (Prometheus and Grafana),"
    " `business` (a bot that people connect to their accounts)",
    "USERBOT_REPLICAS": "compose.yaml: `0` starts no userbot, by default there is 1, for one session",
    "GENERATE_REPLICAS": "compose.yaml: the number of workers, by default 1; `--scale` overrides it",
    "RABBITMQ_WORKER_REPLICAS": "compose.yaml: the number of workers on RabbitMQ, by default 1, likewise",
    "IMAGE_EXTRAS": "compose.yaml: further extras for the image of `generate`, e.g. `transformers`, which installs"
    " torch, for models that have to be converted",
    "IMAGE_CLIENT": "compose.yaml: the Telegram client in the images of `userbot` and `sandbox`: `pyrogram`, the"
    " default, or `kurigram`",
    "TORCH_INDEX": "the package index that the Makefile and compose.yaml take torch from, e.g. pytorch's CPU index;"
    " PyPI's build for Linux is a CUDA build of several GB",
    "GENERATE_MEMORY": "compose.yaml: the memory limit for preparing a model, and for each worker, e.g. `12g`;"
    " 6g by default",
    "TOOLS_USER": "compose.yaml: the user and group, as numbers, that `tools` runs as and writes recordings as;"
    " `deploy/passwords.sh` writes yours",
    "RABBITMQ_PASSWORD": "compose.yaml: the user `timokha`'s password on RabbitMQ; `deploy/passwords.sh` writes it",
    **{
        f"NATS_{user.upper()}_PASSWORD": f"compose.yaml: the password of the user `{user}` on its NATS, likewise"
        for user in ("setup", "userbot", "generate", "bridge", "tools", "cluster")
    },
    "PYTHON_IMAGE": "compose.yaml: another base image for ours, e.g. by its digest",
    **{
        f"{name}_IMAGE": "compose.yaml: the image of that service, likewise"
        for name in ("NATS", "RABBITMQ", "JAEGER", "COLLECTOR", "PROMETHEUS", "GRAFANA")
    },
    "NATS_STORE_DIR": "deploy/nats.conf: where the server keeps its data; `deploy/nats.sh` sets it",
    "NATS_NODE": "deploy/cluster/nats.conf: the name of this node",
    "NATS_ROUTES": "deploy/cluster/nats.conf: a list of the nodes' addresses",
}
"""Other variables and what each does."""

EXAMPLES = {"COMPOSE_PROFILES": "rabbitmq"}
"""Variables that `.env.example` sets."""

COMPOSE = frozenset(
    f"COMPOSE_{name}"
    for name in (
        *("ANSI", "BAKE", "CONVERT_WINDOWS_PATHS", "DISABLE_ENV_FILE", "ENV_FILES", "EXPERIMENTAL", "FILE"),
        *("IGNORE_ORPHANS", "MENU", "PARALLEL_LIMIT", "PATH_SEPARATOR", "PROGRESS", "PROJECT_NAME", "REMOVE_ORPHANS"),
        *("STATUS_STDOUT",),
    )
)
"""Docker Compose's other variables, which `.env` may set as well.

Source: https://docs.docker.com/compose/how-tos/environment-variables/envvars/
"""


def opentelemetry() -> frozenset[str]:
    """Return every variable that OpenTelemetry's packages read."""
    return frozenset(name for package in (api, sdk) for name in vars(package) if name.startswith("OTEL_"))


def in_toml() -> dict[str, str | None]:
    """Return by variable what stands at the top of `timokha.toml`. Raises SettingsError."""
    return {place.key.upper(): toml_file.text(value) for place, value in toml_file.read().items() if not place.table}


TO_LIBRARIES = ("OTEL_", "HF_")
"""Beginnings of variables that libraries read, which can stand in our files as well."""
_ITS_FILE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?(CERTIFICATE|CLIENT_KEY)")


def export_to_libraries() -> None:
    """Copy the variables of OpenTelemetry and the hub from our files into the environment, unless they are set there.

    Make the paths of OpenTelemetry's files absolute.
    """
    for name, value in {**in_toml(), **dotenv.values(dotenv.read(DOTENV))}.items():
        if name.startswith(TO_LIBRARIES) and value and not os.environ.get(name):
            os.environ[name] = value
    for name, value in os.environ.items():
        if _ITS_FILE.fullmatch(name) and value:
            with suppress(ValueError):  # OpenTelemetry reports that the file can't be read
                os.environ[name] = str(absolute(Path(value)))
