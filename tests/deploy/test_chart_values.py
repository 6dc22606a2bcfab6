"""A wrong value is refused, with a line that names it."""

import json
import re

import pytest
import yaml

from tests.deploy.chart import CHART, ROOT

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
ANNA = {"name": "anna", "existingSecret": "anna"}
BORIS = {"name": "boris", "existingSecret": "boris"}
NOT_IN_THE_CHART = {
    "DOCTOR_PARTS": "for `timokha doctor`, which finds out by itself",
    "NATS_CREDENTIALS": "users have passwords there, or certificates",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "a collector beside the pods takes no certificate",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": "likewise",
}
BY_THE_CHART = {
    "API_HASH",
    "API_ID",
    "BOT_TOKEN",
    "HF_TOKEN",
    "NATS_PASSWORD",
    "NATS_TLS_CA",
    "NATS_TLS_CERTIFICATE",
    "NATS_TLS_KEY",
    "NATS_URL",
    "NATS_USER",
    "OPENAI_API_KEY",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_METRICS_EXPORTER",
    "RABBITMQ_URL",
    "SETUP_WAIT",
    "SSL_CERT_FILE",
    "TIMOKHA_CONFIG",
    "USERBOT_SESSION",
}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"accounts": [{**ANNA, "name": "Anna"}]}, "/accounts/0/name"),
        ({"accounts": [{**ANNA, "name": "a" * 21}]}, "/accounts/0/name"),
        ({"accounts": [{"name": "anna"}]}, "'existingSecret'"),
        ({"accounts": [{**ANNA, "replicas": 2}]}, "'replicas'"),
        ({"accounts": [{**ANNA, "kind": "bot"}]}, "/accounts/0/kind"),
        ({"accounts": [{**ANNA, "storage": {"accessMode": "ReadWriteMany"}}]}, "/accounts/0/storage/accessMode"),
        ({"accounts": [{**ANNA, "env": {"USERBOT_OWNER": 12345678901}}]}, "/accounts/0/env/USERBOT_OWNER"),
        ({"accounts": [{**ANNA, "env": {"GENERATE_SLOTS": "4"}}]}, "/accounts/0/env"),
        ({"accounts": [{**ANNA, "env": {"USERBOT_SESSION": "/tmp/s"}}]}, "/accounts/0/env"),
        ({"accounts": [ANNA, {**BORIS, "name": "anna"}]}, "the name anna stands twice"),
        ({"accounts": [ANNA, {**BORIS, "existingSecret": "anna"}]}, "anna and boris share the Secret anna"),
        ({"generate": {"existingSecret": "timokha-anna"}}, "timokha-anna is the Secret of the account anna"),
        ({"generate": {"existingSecret": ""}}, "generate.existingSecret: name the Secret with NATS_PASSWORD"),
        ({"setup": {"existingSecret": ""}}, "setup.existingSecret: name the Secret with NATS_PASSWORD"),
        ({"bridge": {"enabled": True}}, "bridge.existingSecret: name the Secret with RABBITMQ_URL and NATS_PASSWORD"),
        ({"nats": {"url": "nats://user:password@nats:4222"}}, "/nats/url"),
        ({"nats": {"url": "nats:4222"}}, "/nats/url"),
        ({"otlp": {"endpoint": "collector:4318"}}, "/otlp/endpoint"),
        ({"keda": {"enabled": True}}, "keda.natsServerMonitoringEndpoint: give host:port"),
        ({"keda": {"natsServerMonitoringEndpoint": "http://nats:8222"}}, "/keda/natsServerMonitoringEndpoint"),
        ({"keda": {"lagThreshold": 0}}, "/keda/lagThreshold"),
        ({"keda": {"minReplicas": 11}}, "keda.minReplicas: 11 is above keda.maxReplicas, 10"),
        ({"keda": {"fallback": {"replicas": 0}}}, "/keda/fallback/replicas"),
        ({"generate": {"existingSecret": "one", "replica": 2}}, "'replica'"),
        ({"podDisruptionBudget": {"maxUnavailable": "50%"}}, "/podDisruptionBudget/maxUnavailable"),
        ({"networkPolicy": {"nats": {"ports": ["nats"]}}}, "/networkPolicy/nats/ports/0"),
        ({"image": {"registry": "https://registry.example.org"}}, "/image/registry"),
        ({"userbot": {}}, "'userbot'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm, values, named):
    assert named in helm.refusal("small", **values)


def test_the_same_values_without_the_fault_are_taken(helm):
    helm.text(
        "small",
        accounts=[{**ANNA, "env": {"USERBOT_OWNER": "12345678901"}}, BORIS],
        keda={"enabled": True, "natsServerMonitoringEndpoint": "nats:8222"},
        bridge={"enabled": True, "existingSecret": "bridge"},
    )


def settable(part):
    """Whether a variable may stand in the `env` of a part."""
    properties = SCHEMA["properties"]
    found = properties["accounts"]["items"]["properties"] if part == "accounts" else properties[part]["properties"]
    (pattern,) = found["env"]["patternProperties"]
    return lambda variable: re.search(pattern, variable) and variable not in found["env"].get("properties", {})


@pytest.mark.parametrize(
    ("service", "part"),
    [
        ("userbot", "accounts"),
        ("business", "accounts"),
        ("generate", "generate"),
        ("bridge", "bridge"),
        ("setup", "setup"),
    ],
)
def test_what_compose_passes_on_can_be_set_in_the_chart(service, part):
    may = settable(part)
    wanted = {variable for variable in COMPOSE[service]["environment"] if not may(variable)}
    assert wanted <= BY_THE_CHART | NOT_IN_THE_CHART.keys()


def test_every_value_is_described_by_the_schema():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert described(values, SCHEMA) == []


def described(values, schema, place=""):
    """The values of which the schema says nothing, or the other way round."""
    properties = schema.get("properties")
    if not isinstance(values, dict) or properties is None or "patternProperties" in schema:
        return []
    differing = sorted(set(values) ^ (set(properties) - {"global"}))
    inner = [one for key in values for one in described(values[key], properties.get(key, {}), f"{place}{key}.")]
    return [f"{place}{key}" for key in differing] + inner
