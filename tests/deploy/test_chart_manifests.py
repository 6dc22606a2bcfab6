"""What the chart creates keeps to the schemas of Kubernetes and KEDA, and to what compose.yaml promises."""

import copy

import pytest
import yaml

from cli.commands import COMMANDS
from cli.config.other_variables import OTHERS
from cli.config.sections import fields
from events import subjects
from events.transport import Channel
from tests.deploy.chart import ROOT, VALUES, containers, of_kind, pods
from tests.deploy.schemas import faults

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OF_NO_COMMAND = {"HF_ENDPOINT", "HF_TOKEN", "SSL_CERT_FILE", "TIMOKHA_CONFIG"}
"""What libraries read, and where the settings file is."""
LONG_RUNNING = {"userbot", "business", "generate", "bridge"}
CREATED = {
    "small": {
        "ConfigMap": 1,
        "Deployment": 1,
        "Job": 1,
        "NetworkPolicy": 3,
        "PodDisruptionBudget": 2,
        "StatefulSet": 1,
    },
    "middle": {
        "ConfigMap": 1,
        "Deployment": 3,
        "Job": 1,
        "NetworkPolicy": 7,
        "PodDisruptionBudget": 6,
        "ScaledObject": 1,
        "StatefulSet": 3,
    },
    "business-tls": {
        "ConfigMap": 1,
        "Deployment": 1,
        "Job": 1,
        "NetworkPolicy": 3,
        "PodDisruptionBudget": 2,
        "StatefulSet": 1,
    },
}


@pytest.fixture(params=VALUES)
def name(request):
    return request.param


@pytest.fixture
def manifests(helm, name):
    return helm.manifests(name)


def test_helm_finds_no_fault_in_the_chart(helm, name):
    assert helm.lint(name) == ""


def test_helm_finds_a_fault(helm, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "Chart.yaml").write_text("apiVersion: v2\nname: broken\n")
    assert "version is required" in helm._run("lint", broken).stdout


def test_everything_is_created_once(manifests, name):
    kinds = [manifest["kind"] for manifest in manifests]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == CREATED[name]
    named = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(set(named)) == len(named)


def test_kubernetes_and_keda_would_take_every_manifest(manifests):
    assert [fault for manifest in manifests if (fault := faults(manifest))] == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("StatefulSet", ("spec", "replicas"), "one"),
        ("StatefulSet", ("spec", "replica"), 1),
        ("Deployment", ("spec", "template", "spec", "enableServiceLink"), False),
        ("Job", ("spec", "template", "spec", "containers", 0, "env", 0, "value"), 1),
        ("NetworkPolicy", ("spec", "egress", 0, "port"), 53),
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), 1.5),
        ("ScaledObject", ("spec", "minReplicas"), 0),
        ("ScaledObject", ("spec", "maxReplicaCount"), "many"),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "lagThreshold"), 8),
        ("ScaledObject", ("spec", "fallback", "replica"), 1),
    ],
)
def test_a_manifest_with_a_fault_is_refused(helm, kind, path, value):
    manifest = copy.deepcopy(of_kind(helm.manifests("middle"), kind)[0])
    assert not faults(manifest)
    place = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert faults(manifest)


def test_a_pod_can_do_no_more_than_it_needs(manifests):
    for _, pod in pods(manifests):
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 10001, 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for _, _, container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_every_mount_has_its_volume_and_every_volume_a_mount(manifests):
    for manifest, pod in pods(manifests):
        claims = {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in pod["volumes"]} | claims
        all_containers = [*pod.get("initContainers", []), *pod["containers"]]
        mounts = [mount for container in all_containers for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in mounts} == volumes
        for container in all_containers:
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(set(paths)) == len(paths)


def test_what_runs_on_is_asked_as_in_compose_whether_it_answers_and_whether_it_lives(manifests):
    for manifest, _, container in containers(manifests):
        if container["args"][0] not in LONG_RUNNING:
            assert "livenessProbe" not in container
            continue
        asked = COMPOSE[container["args"][0]]["healthcheck"]["test"]
        assert ["CMD", *container["readinessProbe"]["exec"]["command"]] == asked
        for probe in ("livenessProbe", "startupProbe"):
            assert container[probe]["exec"]["command"] == ["timokha", "health", "--live"]
        assert manifest["kind"] in {"StatefulSet", "Deployment"}


def test_a_stopped_pod_gets_as_long_as_in_compose(manifests):
    for manifest, pod in pods(manifests):
        service = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
        if grace := COMPOSE[service].get("stop_grace_period"):
            assert f"{pod['terminationGracePeriodSeconds']}s" == grace


def test_a_worker_and_a_bridge_that_may_take_longer_to_stop_get_longer(helm):
    manifests = helm.manifests(
        "small",
        generate={"existingSecret": "one", "env": {"GENERATE_GRACE": "90.5"}},
        bridge={"enabled": True, "existingSecret": "two", "env": {"BRIDGE_GRACE": "30"}},
    )
    given = [pod["terminationGracePeriodSeconds"] for _, pod in pods(of_kind(manifests, "Deployment"))]
    assert sorted(given) == [45, 101]


def test_an_image_is_one_that_the_dockerfile_builds_and_runs_its_command(manifests):
    targets = {service["build"]["target"] for service in COMPOSE.values() if "build" in service}
    for _, _, container in containers(manifests):
        image = container["image"].rpartition("/")[2].partition(":")[0]
        assert image.removeprefix("timokha-") in targets
        assert container["args"][0] in COMMANDS
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert 'ENTRYPOINT ["timokha"]' in dockerfile
    assert "useradd --no-log-init --uid 10001 " in dockerfile


def test_every_variable_is_a_setting_of_the_command_that_gets_it(manifests):
    telemetry = {name for name in OTHERS if name.startswith("OTEL_")}
    telemetry |= {"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED"}
    for manifest, _, container in containers(manifests):
        known = {field.variable for field in fields(COMMANDS[container["args"][0]].settings)}
        given = [variable["name"] for variable in container["env"]]
        assert set(given) <= known | telemetry | OF_NO_COMMAND, manifest["metadata"]["name"]
        assert len(set(given)) == len(given), manifest["metadata"]["name"]


def test_setup_runs_before_an_install_and_an_upgrade_and_may_reach_the_brokers_then(manifests):
    hooks = {
        manifest["kind"]: manifest["metadata"]["annotations"]
        for manifest in manifests
        if manifest["metadata"].get("annotations")
    }
    assert hooks.keys() == {"Job", "NetworkPolicy"}
    assert {hook["helm.sh/hook"] for hook in hooks.values()} == {"pre-install,pre-upgrade"}
    assert int(hooks["NetworkPolicy"]["helm.sh/hook-weight"]) < 0
    assert of_kind(manifests, "Job")[0]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_keda_scales_the_workers_by_the_consumer_that_they_share(helm):
    manifests = helm.manifests("middle")
    scaled = of_kind(manifests, "ScaledObject")[0]["spec"]
    trigger = scaled["triggers"][0]
    assert trigger["metadata"]["stream"] == subjects.stream(Channel.REQUESTS)
    assert trigger["metadata"]["consumer"] == subjects.GENERATE_CONSUMER
    assert f"\n  {trigger['metadata']['account']} {{\n" in (ROOT / "deploy/nats-accounts.conf").read_text()
    assert (scaled["minReplicaCount"], scaled["fallback"]["replicas"]) == (0, 1)
    workers = {
        manifest["metadata"]["name"]: manifest["spec"]
        for manifest in of_kind(manifests, "Deployment")
        if "generate" in manifest["metadata"]["name"]
    }
    assert workers.keys() == {scaled["scaleTargetRef"]["name"]}
    assert "replicas" not in workers[scaled["scaleTargetRef"]["name"]], "each upgrade would undo what KEDA has set"


def test_without_keda_the_values_say_how_many_workers_there_are(helm):
    manifests = helm.manifests("business-tls")
    assert of_kind(manifests, "ScaledObject") == []
    assert [manifest["spec"]["replicas"] for manifest in of_kind(manifests, "Deployment")] == [2]


def test_a_model_is_prepared_where_the_workers_can_only_read(helm):
    for manifest, pod in pods(of_kind(helm.manifests("middle"), "Deployment")):
        if not pod.get("initContainers"):
            assert "bridge" in manifest["metadata"]["name"]
            continue
        preparing, serving = pod["initContainers"][0], pod["containers"][0]
        assert preparing["args"] == ["model"]
        assert {"name": "models", "mountPath": "/var/cache/timokha"} in preparing["volumeMounts"]
        assert {"name": "models", "mountPath": "/var/cache/timokha", "readOnly": True} in serving["volumeMounts"]
        assert preparing["env"] == serving["env"]


def test_the_notes_name_the_pod_to_sign_in_with(helm):
    assert "timokha-anna-0 -- env -u TIMOKHA_HEALTH_FILE timokha userbot" in helm.notes("small")
    assert "exec -it" not in helm.notes("business-tls")
