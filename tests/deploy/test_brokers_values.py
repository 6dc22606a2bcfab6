"""The values files for the brokers' own charts say what our configurations of these brokers say."""

import re

import pytest
import yaml

from tests.deploy.chart import ROOT

HELM = ROOT / "deploy/helm"
NATS = yaml.safe_load((HELM / "nats-values.yaml").read_text())
RABBITMQ = yaml.safe_load((HELM / "rabbitmq-values.yaml").read_text())


def test_nats_gets_a_password_for_each_user_of_our_accounts():
    wanted = set(re.findall(r"password: \$(\w+)", (ROOT / "deploy/nats-accounts.conf").read_text()))
    assert NATS["container"]["env"].keys() == wanted
    for name, source in NATS["container"]["env"].items():
        reference = source["valueFrom"]["secretKeyRef"]
        assert name == f"NATS_{reference['key'].upper()}_PASSWORD"
        assert reference["name"] == "timokha-nats"


def test_nats_loses_nothing_that_it_has_confirmed_and_tells_keda_the_lag():
    config = NATS["config"]
    assert config["merge"] == {"$include": "nats-accounts.conf"}
    assert config["jetstream"]["merge"]["sync_interval"] == "always"
    assert "sync_interval: always" in (ROOT / "deploy/nats.conf").read_text()
    assert config["monitor"] == {"enabled": True, "port": 8222}
    assert config["cluster"]["replicas"] == 3


def test_rabbitmq_has_our_lines():
    ours = set((ROOT / "deploy/rabbitmq.conf").read_text().splitlines())
    lines = set(RABBITMQ["extraConfiguration"].splitlines())
    assert {line for line in ours if line.startswith(("default_", "deprecated_"))} == lines


@pytest.mark.parametrize("values", [NATS, RABBITMQ], ids=["nats", "rabbitmq"])
def test_no_secret_is_in_it(values):
    for key, value in flat(values):
        assert not re.search(r"(?i)password$|token|cookie|secret$", key) or key.startswith("existing"), (key, value)


def flat(values):
    for key, value in values.items():
        if isinstance(value, dict) and "valueFrom" not in value:
            yield from flat(value)
        elif not isinstance(value, dict):
            yield key, value
