"""Accounts share nothing, an account has one pod, and no secret is in what helm renders."""

import json
from collections import Counter

import pytest
import yaml
from pydantic import SecretStr

from cli.config.sections import sections
from tests.deploy.chart import CHART, VALUES, containers, of_kind, pods

SECRETS = {
    field.variable for section in sections() for field in section.fields if "Secret" in str(field.field.annotation)
} | {"API_ID", "HF_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"}


def test_the_settings_have_secrets():
    assert SecretStr.__name__ == "SecretStr"
    assert {"API_HASH", "BOT_TOKEN", "NATS_PASSWORD", "RABBITMQ_URL", "OPENAI_API_KEY"} <= SECRETS


def belongings(manifest, pod):
    """The Secrets, volumes and ConfigMaps of an account's pod."""
    name = manifest["metadata"]["name"]
    claims = [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    yield from (f"claim {claim}-{name}-0" for claim in claims)
    for container in pod["containers"]:
        for variable in container["env"]:
            if "valueFrom" in variable:
                yield f"secret {variable['valueFrom']['secretKeyRef']['name']}"
    for volume in pod["volumes"]:
        for kind, key in (("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")):
            if kind in volume:
                yield f"{kind} {volume[kind][key]}"


def shared(manifests):
    """What more than one account has."""
    owned = Counter(
        thing for manifest, pod in pods(of_kind(manifests, "StatefulSet")) for thing in set(belongings(manifest, pod))
    )
    return {thing for thing, owners in owned.items() if owners > 1}


def test_accounts_share_no_volume_no_secret_and_no_file(helm):
    assert shared(helm.manifests("middle")) == set()


@pytest.mark.parametrize("owner", ["secretKeyRef", "secretName", "claimName"])
def test_something_shared_is_noticed(helm, owner):
    manifests = helm.manifests("middle")
    for _, pod in pods(of_kind(manifests, "StatefulSet")):
        if owner == "secretKeyRef":
            next(one for one in pod["containers"][0]["env"] if "valueFrom" in one)["valueFrom"] = {
                owner: {"name": "one", "key": "NATS_PASSWORD"}
            }
        elif owner == "secretName":
            pod["volumes"].append({"name": "own", "secret": {owner: "one"}})
        else:
            pod["volumes"].append({"name": "more", "persistentVolumeClaim": {owner: "one"}})
    assert len(shared(manifests)) == 1


def test_an_account_has_one_pod_and_a_volume_that_one_node_alone_may_use(helm):
    for name in VALUES:
        for manifest in of_kind(helm.manifests(name), "StatefulSet"):
            spec = manifest["spec"]
            suspended = manifest["metadata"]["name"] == "timokha-vera"
            assert spec["replicas"] == (0 if suspended else 1)
            assert spec["podManagementPolicy"] == "OrderedReady"
            assert spec["updateStrategy"] == {"type": "RollingUpdate"}
            assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
            (claim,) = spec["volumeClaimTemplates"]
            assert claim["spec"]["accessModes"] in (["ReadWriteOnce"], ["ReadWriteOncePod"])
            (container,) = spec["template"]["spec"]["containers"]
            session = next(one["value"] for one in container["env"] if one["name"] == "USERBOT_SESSION")
            mount = next(one for one in container["volumeMounts"] if one["name"] == claim["metadata"]["name"])
            assert session.startswith(f"{mount['mountPath']}/")


def test_no_selector_takes_the_pods_of_another(helm):
    manifests = helm.manifests("middle")
    labels = {
        manifest["metadata"]["name"]: manifest["spec"]["template"]["metadata"]["labels"]
        for manifest, _ in pods(manifests)
    }
    for kind, path in (
        ("StatefulSet", ("selector", "matchLabels")),
        ("Deployment", ("selector", "matchLabels")),
        ("PodDisruptionBudget", ("selector", "matchLabels")),
        ("NetworkPolicy", ("podSelector", "matchLabels")),
    ):
        for manifest in of_kind(manifests, kind):
            wanted = manifest["spec"][path[0]][path[1]].items()
            taken = [name for name, given in labels.items() if wanted <= given.items()]
            assert taken == [manifest["metadata"]["name"]], kind


def test_nothing_may_connect_to_a_pod_and_a_pod_only_to_what_it_needs(helm):
    manifests = helm.manifests("middle")
    ports = {}
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        assert (spec["policyTypes"], spec["ingress"]) == (["Ingress", "Egress"], [])
        assert all(rule.get("ports") for rule in spec["egress"])
        found = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        ports[policy["metadata"]["name"].removeprefix("timokha-")] = found - {53, 4317, 4318}
    amqp, telegram = {5671, 5672}, {80, 443, 5222}
    accounts = dict.fromkeys(("anna", "boris", "vera"), {4222} | telegram)
    brokers = dict.fromkeys(("bridge", "setup"), {4222} | amqp)
    assert ports == {**accounts, **brokers, "generate": {4222}, "rabbitmq-worker": {4222} | amqp}


def test_what_is_for_the_internet_reaches_no_address_of_the_cluster(helm):
    manifests = helm.manifests("business-tls")
    public = [
        peer["ipBlock"]
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"]["egress"]
        for peer in rule.get("to", [])
    ]
    assert len(public) == 4
    for block in public:
        assert block["except"][0] == ("10.0.0.0/8" if block["cidr"] == "0.0.0.0/0" else "fc00::/7")


@pytest.mark.parametrize("name", VALUES)
def test_a_secret_is_a_reference(helm, name):
    manifests = helm.manifests(name)
    assert of_kind(manifests, "Secret") == []
    for _, _, container in containers(manifests):
        for variable in container["env"]:
            if variable["name"] == "USERBOT_SESSION":  # a file in the account's volume, not a session
                assert variable["value"].startswith("/var/lib/timokha/")
                continue
            assert ("valueFrom" in variable) == (variable["name"] in SECRETS), variable["name"]


SAMPLE = "hunter2secret"


@pytest.mark.parametrize("variable", sorted(SECRETS))
def test_a_secret_among_the_values_is_refused_and_not_shown(helm, variable):
    account = {"name": "anna", "existingSecret": "anna", "env": {variable: SAMPLE}}
    for part, value in {
        "accounts": [account],
        "env": {variable: SAMPLE},
        "generate": {"existingSecret": "one", "env": {variable: SAMPLE}},
        "bridge": {"enabled": True, "existingSecret": "two", "env": {variable: SAMPLE}},
        "setup": {"existingSecret": "three", "env": {variable: SAMPLE}},
    }.items():
        refusal = helm.refusal("small", **{part: value})
        assert variable in refusal or "env" in refusal
        assert SAMPLE not in refusal


@pytest.mark.parametrize(
    "key", ["api_hash", "bot_token", "nats_password", "rabbitmq_url", "openai_api_key", "hf_token"]
)
def test_a_secret_in_a_settings_file_is_refused_and_not_shown(helm, key):
    account = {"name": "anna", "existingSecret": "anna", "config": f'[userbot]\n  {key.upper()} = "{SAMPLE}"\n'}
    refusal = helm.refusal("small", accounts=[account])
    assert "/accounts/0/config" in refusal
    assert SAMPLE not in refusal


def test_no_value_of_the_chart_itself_is_a_secret():
    values = json.dumps(yaml.safe_load((CHART / "values.yaml").read_text())).lower()
    assert not [word for word in ("password", "token", "api_key", "api_hash") if word in values]
