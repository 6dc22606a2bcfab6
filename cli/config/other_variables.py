"""Variables that no settings class reads: those of compose.yaml, of deploy/ and of libraries."""

import os
import re
from contextlib import suppress
from pathlib import Path

import opentelemetry.environment_variables as api
import opentelemetry.sdk.environment_variables as sdk

from events import dotenv
from events.files import absolute
from events.settings import DOTENV

OTHERS = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where traces and metrics go, e.g. http://127.0.0.1:4318; without it nowhere."
    " The rest of OpenTelemetry's own variables hold as well; none of them is an option",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "where metrics go if elsewhere, e.g. http://collector:4318/v1/metrics",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "a PEM file: the authority of an https endpoint, if it is not the system's",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "a PEM file: our own certificate, where the endpoint asks for one",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": "a PEM file without a password: its key",
    "OTEL_METRICS_EXPORTER": "`none`: traces only",
    "OTEL_TRACES_SAMPLER": "which traces are recorded, e.g. `parentbased_always_on`; by default all but"
    " for a part of a flood",
    "HF_TOKEN": "a token of an account at huggingface.co, for models that are private or whose terms it has accepted;"
    " the hub's other variables hold as well",
    "COMPOSE_PROFILES": "docker compose: what is started besides, comma-separated: `rabbitmq` (RabbitMQ and the"
    " bridge), `rabbitmq-workers` (workers on it, too), `observability` (Prometheus and Grafana)",
    "GENERATE_REPLICAS": "compose.yaml: how many workers, by default 1; `--scale` wins over it",
    "RABBITMQ_WORKER_REPLICAS": "compose.yaml: how many workers on RabbitMQ, by default 1, likewise",
    "IMAGE_EXTRAS": "compose.yaml: extras that the image of `generate` has besides, e.g. `transformers`, which brings"
    " torch, for models that have to be converted",
    "TORCH_INDEX": "the package index that the Makefile and compose.yaml take torch from, e.g. pytorch's CPU index;"
    " PyPI's build for Linux is a CUDA build of several GB",
    "GENERATE_MEMORY": "compose.yaml: the memory that preparing a model may take, and each worker, e.g. `12g`;"
    " 6g by default",
    "TOOLS_USER": "compose.yaml: the user and group, as numbers, that `tools` runs as and writes recordings as;"
    " `deploy/passwords.sh` writes yours",
    "RABBITMQ_PASSWORD": "compose.yaml: the user `timokha`'s password on RabbitMQ; `deploy/passwords.sh` writes it",
    **{
        f"NATS_{user.upper()}_PASSWORD": f"compose.yaml: the password of the user `{user}` on its NATS, likewise"
        for user in ("setup", "userbot", "generate", "bridge", "tools", "cluster")
    },
    "PYTHON_IMAGE": "compose.yaml: the image that ours are built on, if it is to be another one, e.g. by its digest",
    **{
        f"{name}_IMAGE": "compose.yaml: the image of that service, likewise"
        for name in ("NATS", "RABBITMQ", "JAEGER", "COLLECTOR", "PROMETHEUS", "GRAFANA")
    },
    "NATS_STORE_DIR": "deploy/nats.conf: where the server keeps its data; `deploy/nats.sh` sets it",
    "NATS_NODE": "deploy/cluster/nats.conf: the name of this node",
    "NATS_ROUTES": "deploy/cluster/nats.conf: a list of the nodes' addresses",
}
"""And what each does."""

EXAMPLES = {"COMPOSE_PROFILES": "rabbitmq"}
"""What stands in `.env.example` from the start."""

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
    """Every variable that OpenTelemetry's packages read."""
    return frozenset(name for package in (api, sdk) for name in vars(package) if name.startswith("OTEL_"))


_ITS_FILE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?(CERTIFICATE|CLIENT_KEY)")


def export_to_libraries() -> None:
    """Put what OpenTelemetry and the hub look for in the environment, which wins, there from `.env`.

    Files that OpenTelemetry reads are named by whole paths there.
    """
    for name, value in dotenv.values(dotenv.read(DOTENV)).items():
        if name.startswith(("OTEL_", "HF_")) and value and not os.environ.get(name):
            os.environ[name] = value
    for name, value in os.environ.items():
        if _ITS_FILE.fullmatch(name) and value:
            with suppress(ValueError):  # OpenTelemetry says that it can't be read
                os.environ[name] = str(absolute(Path(value)))
