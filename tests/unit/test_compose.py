"""compose.yaml and its Dockerfile, as far as they can be checked without an engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from cli.commands import COMMANDS
from cli.config.other_variables import OTHERS
from cli.config.sections import fields, sections
from cli.demo.nats_server import embedded
from cli.program import options as options_of
from cli.sandbox.files import Files
from cli.settings import SandboxSettings
from edge.sandbox.visitor import API_HASH, API_ID
from events import toml_file
from events.settings import ProcessSettings
from functions.generate.settings import GenerateSettings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LONG_RUNNING = {"userbot", "business", "sandbox-userbot", "generate", "bridge", "rabbitmq-worker"}
ON_RABBITMQ = {"bridge", "rabbitmq-worker"}
ONCE = {"setup", "rabbitmq-setup", "model"}

NOT_PASSED_ON = {
    "GENERATE_TRIGGER": "the service's command says it",
    "TIMOKHA_CACHE": "the image says it",
    "TIMOKHA_HEALTH_FILE": "likewise",
    "TIMOKHA_TRACE_FILE": "it is for the processes of one machine; here Jaeger has the traces",
    "BUSINESS_CHECK": "it is for one run: docker compose run --rm business business --check",
    "RECORD_DEMO": "a demo runs on the host, not in a container",
}
NOT_FOR_THE_TOOLS = {
    "RABBITMQ_URL": "their image has no client of it; the bridge's own doctor looks at RabbitMQ",
    **{
        GenerateSettings.variable(name): "of an engine, which their image does not have"
        for name in GenerateSettings.model_fields.keys() - ProcessSettings.model_fields.keys()
    },
}
OF_THE_SANDBOX = {
    *(
        SandboxSettings.variable(name)
        for name in SandboxSettings.model_fields
        if name in SandboxSettings.__annotations__
    ),
    *("API_ID", "API_HASH", "BOT_TOKEN", "USERBOT_SESSION", "USERBOT_TELEGRAM_SERVER", "USERBOT_TELEGRAM_KEY"),
    "TIMOKHA_CONFIG",
}
"""What the two services of the sandbox agree on; what our files have is for the real Telegram."""
TOOLS = ("deadletters list", "deadletters show", "deadletters resend", "deadletters drop", "doctor", "record", "replay")
ITS_OWN = {
    "DOCTOR_PARTS": "what `timokha doctor` can see in that container",
    "NATS_USER": "each process has a user of its own",
    "NATS_PASSWORD": "likewise",
    "TIMOKHA_CONFIG": "where ./config is mounted",
}
"""What compose.yaml says, whatever .env has."""
OPENTELEMETRY = {name for name in OTHERS if name.startswith("OTEL_")}
OF_LIBRARIES = {
    "HF_ENDPOINT",
    "HF_TOKEN",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER_ARG",
    "SSL_CERT_FILE",
}


def command_of(service):
    """The command's name and its options."""
    words = service.get("command") or [service["build"]["target"]]
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    return name, words[len(name.split()) :]


def variables_of(name):
    """Everything that the commands of a service can be told by a variable."""
    commands = TOOLS if name == "tools" else (command_of(OURS[name])[0],)
    return {field.variable for command in commands for field in fields(COMMANDS[command].settings)} | OPENTELEMETRY


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/cluster/compose.yaml"])
def test_compose_keeps_to_the_schema_of_the_compose_specification(name):
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        ROOT / name,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout


def test_every_image_is_built_here_or_is_of_an_exact_version_that_dotenv_can_replace_by_a_digest():
    foreign = [service["image"] for service in SERVICES.values() if "build" not in service]
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages == {"$PYTHON_IMAGE"}
    base = re.search(r"^ARG (PYTHON_IMAGE)=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.search(r":\d+\.\d+\.\d+-", base[2])
    for image in foreign:
        named = re.fullmatch(r"\$\{([A-Z]+_IMAGE):-[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z]+)?\}", image)
        assert named, f"{image} names no exact version"
        assert named[1] in OTHERS
    for service in OURS.values():
        assert service["build"]["args"]["PYTHON_IMAGE"] is None  # the Dockerfile's, if .env has none


def test_generate_can_be_scaled():
    for name in ("generate", "rabbitmq-worker"):
        assert not SERVICES[name].keys() & {"container_name", "ports"}


def test_what_a_service_waits_for_exists_and_can_come_true():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed], f"{name} waits for the health of {needed}"
            elif how["condition"] == "service_started":
                assert needed in LONG_RUNNING, f"{name} does not wait for the end of {needed}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert needed not in LONG_RUNNING, f"{name} waits for the end of {needed}"


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_runs_once_is_not_started_again_after_a_fault(name):
    """Or `up` waits for ever until it has worked, and says nothing of why it does not."""
    assert SERVICES[name]["restart"] == "no"


def test_setup_waits_for_brokers_in_itself():
    for name in ("setup", "rabbitmq-setup"):
        assert SERVICES[name]["environment"]["SETUP_WAIT"] == "${SETUP_WAIT:-60}"


@pytest.mark.parametrize(
    "active", [(), ("rabbitmq",), ("rabbitmq-workers",), ("observability",), ("sandbox",), ("business",)]
)
def test_what_a_service_waits_for_is_started_with_it(active):
    started = {
        name
        for name, service in SERVICES.items()
        if "profiles" not in service or set(service["profiles"]) & set(active)
    }
    for name in started:
        assert set(SERVICES[name].get("depends_on", {})) <= started, name


def test_only_what_uses_rabbitmq_knows_of_it_and_waits_for_it():
    knows = {name for name, service in OURS.items() if "RABBITMQ_URL" in service["environment"]}
    assert knows == {*ON_RABBITMQ, "rabbitmq-setup"}
    for name, service in SERVICES.items():
        if set(service.get("depends_on", {})) & {"rabbitmq", "rabbitmq-setup"}:
            assert name in knows
            assert not set(service["profiles"]) - {"rabbitmq", "rabbitmq-workers"}


def test_a_plain_up_after_the_example_brings_the_bridge():
    assert "\nCOMPOSE_PROFILES=rabbitmq\n" in (ROOT / ".env.example").read_text()
    assert "rabbitmq" in SERVICES["bridge"]["profiles"]


def test_the_number_of_workers_is_in_dotenv():
    assert SERVICES["generate"]["scale"] == "${GENERATE_REPLICAS:-1}"
    assert SERVICES["rabbitmq-worker"]["scale"] == "${RABBITMQ_WORKER_REPLICAS:-1}"


def test_whatever_runs_on_is_started_again_and_waits_for_setup():
    for name in LONG_RUNNING:
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert SERVICES[name]["depends_on"]["setup"]["condition"] == "service_completed_successfully"


def test_whatever_runs_on_is_asked_whether_it_answers_and_says_so_in_a_file_in_memory():
    for name in LONG_RUNNING:
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "timokha", "health"]
        # An engine before 25 does not know it, and compose then refuses the whole file.
        assert "start_interval" not in SERVICES[name]["healthcheck"]
    run = DOCKERFILE.partition(" AS run\n")[2].partition("\nFROM ")[0]
    assert re.search(r"\bTIMOKHA_HEALTH_FILE=/dev/shm/", run)


def test_no_health_check_starts_an_erlang_node_every_few_seconds():
    assert "rabbitmq-diagnostics" not in SERVICES["rabbitmq"]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_with_options_that_exist(name):
    first, options = command_of(OURS[name])
    known = {option for parameter in options_of(COMMANDS[first].settings) for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_the_sandbox_is_seen_by_containers_alone_and_its_userbot_signs_in_with_what_it_has_written():
    sandbox, userbot = SERVICES["sandbox"], SERVICES["sandbox-userbot"]
    assert sandbox["profiles"] == userbot["profiles"] == ["sandbox"]
    assert not sandbox.keys() & {"ports", "network_mode"}
    here, there = sandbox["environment"], userbot["environment"]
    files = Files(Path(here["SANDBOX_DIRECTORY"]))
    assert (there["USERBOT_SESSION"], there["USERBOT_TELEGRAM_KEY"]) == (str(files.session), str(files.key))
    assert there["USERBOT_TELEGRAM_SERVER"] == f"{sandbox['hostname']}:{here['SANDBOX_PORT']}"
    assert (there["API_ID"], there["API_HASH"]) == (str(API_ID), API_HASH)
    assert sandbox["healthcheck"]["test"][-1] == str(files.session)
    assert sandbox["volumes"] == userbot["volumes"]
    same = set(SERVICES["userbot"]["environment"]) - OF_THE_SANDBOX
    assert {name: there[name] for name in same} == {name: SERVICES["userbot"]["environment"][name] for name in same}


def test_the_doctor_of_the_tools_looks_for_no_part_in_their_container():
    assert SERVICES["tools"]["environment"]["DOCTOR_PARTS"] == "${DOCTOR_PARTS:-none}"


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_reaches_it_and_nobody_elses_does(name):
    given = set(OURS[name]["environment"])
    own = variables_of(name)
    assert given <= own | OF_LIBRARIES | ITS_OWN.keys()
    missing = own - given - NOT_PASSED_ON.keys()
    if name == "tools":
        missing -= NOT_FOR_THE_TOOLS.keys()
    elif name not in {*ON_RABBITMQ, "rabbitmq-setup"}:
        missing -= {"RABBITMQ_URL"}
    assert not missing, f"compose.yaml does not pass them on to {name}"


@pytest.mark.parametrize("name", OURS)
def test_what_is_set_in_dotenv_wins_over_what_compose_has(name):
    for variable, value in OURS[name]["environment"].items():
        if name in ("sandbox", "sandbox-userbot") and variable in OF_THE_SANDBOX:
            continue
        if variable not in ITS_OWN or (name, variable) == ("tools", "DOCTOR_PARTS"):
            assert value is None or value.startswith(f"${{{variable}:-"), variable


def test_every_exception_is_a_setting():
    known = {field.variable for section in sections() for field in section.fields}
    assert NOT_PASSED_ON.keys() | NOT_FOR_THE_TOOLS.keys() <= known


def test_files_of_the_hosts_reach_every_service_that_can_be_told_of_one():
    for name, service in OURS.items():
        assert "./certificates:/certificates:ro" in service["volumes"], name


def test_the_folder_of_the_settings_file_reaches_every_service_that_has_no_account_of_its_own():
    assert not OURS["sandbox-userbot"]["environment"]["TIMOKHA_CONFIG"]
    for name, service in OURS.items():
        if name == "sandbox-userbot":
            continue
        file = Path(service["environment"]["TIMOKHA_CONFIG"])
        assert file.name == str(toml_file.NAME)
        # The folder, not the file: a mounted file stays the old one when an editor replaces it.
        assert f"./config:{file.parent}:ro" in service["volumes"], name


@pytest.mark.parametrize("directory", ["certificates", "config", "recordings"])
def test_a_directory_for_the_owners_files_is_there_and_git_ignores_what_is_in_it(directory):
    assert (ROOT / directory / ".gitignore").read_text() == "*\n!.gitignore\n"


def test_the_tools_start_nothing_else_and_leave_their_files_on_the_host_for_its_user(tmp_path):
    tools = SERVICES["tools"]
    assert "depends_on" not in tools
    assert f"./recordings:{tools['working_dir']}" in tools["volumes"]
    assert tools["user"] == "${TOOLS_USER:-10001}"
    line = next(line for line in made_beside(tmp_path, "").splitlines() if line.startswith("TOOLS_USER="))
    made = (tmp_path / "recordings").stat()
    assert line == f"TOOLS_USER={made.st_uid}:{made.st_gid}"


def test_whoever_loads_a_model_has_the_token_of_the_hub():
    for name in ("model", "generate", "rabbitmq-worker"):
        assert "HF_TOKEN" in SERVICES[name]["environment"]


def test_the_model_is_prepared_in_a_volume_that_the_workers_can_only_read():
    assert "models:/var/cache/timokha" in SERVICES["model"]["volumes"]
    for name in ("generate", "rabbitmq-worker"):
        # But for that it reads what they read: a model of one's own, and what has been downloaded.
        assert set(SERVICES["model"]["volumes"]) - set(SERVICES[name]["volumes"]) == {"models:/var/cache/timokha"}
        assert {"./models:/models:ro", "hub:/var/lib/timokha"} <= set(SERVICES["model"]["volumes"])
        assert "models:/var/cache/timokha:ro" in SERVICES[name]["volumes"]
        assert SERVICES[name]["depends_on"]["model"]["condition"] == "service_completed_successfully"


def with_the_nodes_of_the_cluster():
    cluster = yaml.safe_load((ROOT / "deploy/cluster/compose.yaml").read_text())["services"]
    return SERVICES | {name: service for name, service in cluster.items() if name not in SERVICES}


@pytest.mark.parametrize(("name", "service"), with_the_nodes_of_the_cluster().items())
def test_a_service_can_do_no_more_than_it_needs_and_fills_neither_memory_nor_disk(name, service):
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service, name
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"]
    assert service["tmpfs"] == ["/tmp"]
    assert re.fullmatch(r"\d+[mg]|\$\{GENERATE_MEMORY:-\d+g\}", service["mem_limit"])
    assert service["pids_limit"] == 1024
    assert service["logging"] == {"driver": "local", "options": {"max-size": "10m", "max-file": "5"}}


def test_preparing_a_model_and_serving_it_have_more_room_than_the_rest():
    for name in ("model", "generate", "rabbitmq-worker"):
        assert SERVICES[name]["mem_limit"].startswith("${GENERATE_MEMORY:-")


def test_rabbitmq_lets_publishers_wait_before_it_reaches_the_containers_limit():
    lines = (ROOT / "deploy/rabbitmq.conf").read_text().splitlines()
    assert SERVICES["rabbitmq"]["mem_limit"] == "1g"
    assert "vm_memory_high_watermark.absolute = 600MiB" in lines


def test_every_port_is_on_loopback():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_volume_is_declared_or_a_file_of_ours():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith(("./deploy/", "./observability/")):
                assert (ROOT / source).exists()
            elif not source.startswith("./"):
                assert source in COMPOSE["volumes"]


def test_a_worker_has_time_to_finish_what_it_has_in_hand():
    grace = GenerateSettings.model_fields["grace"].get_default().total_seconds()
    assert int(SERVICES["generate"]["stop_grace_period"].removesuffix("s")) > grace


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_built_from_a_stage_that_runs_as_nobody_special(name):
    target = OURS[name]["build"]["target"]
    assert re.search(rf"^FROM run AS {target}$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^USER \d{4,}$", DOCKERFILE, re.MULTILINE)


def test_the_dockerfile_copies_only_what_is_there_and_not_ignored():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert {source, str(Path(source).parent)} & let_in, f"{source} is in .dockerignore"


def installed_in_the_image(directory, target, **arguments):
    """What its stage asks of pip with these build arguments."""
    stage = DOCKERFILE.partition(f" AS build-{target}\n")[2].partition("\nFROM ")[0].replace("\\\n", "")
    steps = [
        step for step in re.findall(r"^RUN (.+)$", stage, re.MULTILINE) if not step.startswith(("--mount", "echo"))
    ]
    script = "\n".join(["pip() { echo $* >>asked; }", *steps])
    subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", script], cwd=directory, env=arguments, check=True)
    return (directory / "asked").read_text()


def test_the_image_of_generate_has_torch_only_if_it_is_asked_for(tmp_path):
    arguments = SERVICES["generate"]["build"]["args"]
    assert (arguments["EXTRAS"], arguments["TORCH_INDEX"]) == ("${IMAGE_EXTRAS:-}", "${TORCH_INDEX:-}")
    plain = installed_in_the_image(tmp_path, "generate", EXTRAS="", TORCH_INDEX="")
    assert set(re.findall(r"locks/(\w+)\.txt", plain)) == {"openai", "openvino", "rabbitmq"}
    whole = installed_in_the_image(tmp_path, "generate", EXTRAS="transformers", TORCH_INDEX="https://torch.example")
    asked = whole.removeprefix(plain * 2)
    assert re.findall(r"locks/(\w+)\.txt", asked) == ["transformers", "torch"]
    assert "--index-url https://torch.example" in asked


@pytest.mark.parametrize(("client", "extra"), [("pyrogram", "userbot"), ("kurigram", "kurigram")])
@pytest.mark.parametrize("target", ["userbot", "sandbox"])
def test_an_image_has_the_client_that_is_chosen_and_no_other(tmp_path, target, client, extra):
    assert SERVICES[target]["build"]["args"]["CLIENT"] == "${IMAGE_CLIENT:-pyrogram}"
    locks = re.findall(r"locks/(\w+)\.txt", installed_in_the_image(tmp_path, target, CLIENT=client))
    assert set(locks) == {extra, target, "speedups"} - {"userbot"} | {extra}


def test_the_business_edge_has_kurigram_whatever_is_chosen_and_a_session_of_its_own(tmp_path):
    assert set(re.findall(r"locks/(\w+)\.txt", installed_in_the_image(tmp_path, "business"))) == {
        "kurigram",
        "speedups",
    }
    business, userbot = SERVICES["business"], SERVICES["userbot"]
    assert business["profiles"] == ["business"]
    assert business["environment"].keys() == userbot["environment"].keys() >= {"BOT_TOKEN"}
    assert business["environment"]["USERBOT_SESSION"] != userbot["environment"]["USERBOT_SESSION"]
    assert not {volume for volume in business["volumes"] if volume[0] != "."} & {*userbot["volumes"]}


def test_a_bot_for_others_can_run_without_a_userbot_which_would_be_the_same_bot():
    assert SERVICES["userbot"]["scale"] == "${USERBOT_REPLICAS:-1}"


def test_without_a_choice_an_image_has_pyrogram():
    assert set(re.findall(r"^ARG CLIENT=(\w+)$", DOCKERFILE, re.MULTILINE)) == {"pyrogram"}


def test_the_wheel_holds_every_package_that_the_dockerfile_copies():
    packages = re.search(r"only-include = \[(.+)\]", (ROOT / "pyproject.toml").read_text())
    assert packages
    for name in re.findall(r'"([^"]+)"', packages[1]):
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b", DOCKERFILE, re.MULTILINE), name


def test_the_profile_observability_brings_what_shows_metrics_and_the_default_set_jaeger_alone():
    extra = {name for name, service in SERVICES.items() if "observability" in service.get("profiles", [])}
    assert extra == {"collector", "prometheus", "grafana"}
    assert "profiles" not in SERVICES["jaeger"]


def test_metrics_find_their_way_from_the_processes_to_grafana():
    """Each hop names a service of compose.yaml and the port that the next one listens on."""
    collector, prometheus, grafana = (
        yaml.safe_load((ROOT / "observability" / path).read_text())
        for path in ("collector/collector.yaml", "prometheus/prometheus.yml", "grafana/datasources.yaml")
    )
    sent_to = SERVICES["generate"]["environment"]["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert f":-http://collector:{port}/v1/metrics}}" in sent_to
    offered = collector["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": [f"collector:{offered}"]}]
    urls = {source["name"]: source["url"] for source in grafana["datasources"]}
    assert urls == {"Prometheus": "http://prometheus:9090", "Jaeger": "http://jaeger:16686"}
    mounted = {v.split(":")[1] for name in ("prometheus", "grafana") for v in SERVICES[name]["volumes"]}
    assert {*prometheus["rule_files"], "/var/lib/grafana/dashboards"} <= mounted


def test_nats_takes_its_configuration():
    server = Path(sys.executable).with_name("nats-server")
    command = [server, "-t", "-c", ROOT / "deploy/nats.conf"]
    passwords = dict.fromkeys(SERVICES["nats"]["environment"], '"1e5"')
    environment = {**passwords, "NATS_STORE_DIR": "/data"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["deploy/nats.conf", "deploy/cluster/nats.conf"])
def test_an_acknowledged_message_survives_power_loss_under_every_shipped_configuration(name):
    assert re.search(r"^  sync_interval: always$", (ROOT / name).read_text(), re.MULTILINE)
    assert "  sync_interval: always\n" in embedded(4222, Path("/data"))


def test_the_cluster_changes_only_what_a_cluster_needs():
    cluster = yaml.safe_load((ROOT / "deploy/cluster/compose.yaml").read_text())
    nodes = [name for name in cluster["services"] if name.startswith("nats")]
    connects = {name for name, service in SERVICES.items() if "NATS_URL" in service.get("environment", {})}
    changed = {name for name, service in cluster["services"].items() if "NATS_URL" in service.get("environment", {})}
    assert changed == connects - {"model"}  # which only prepares a model
    for name in nodes:
        environment = cluster["services"][name]["environment"]
        assert environment["NATS_NODE"] == name
        assert environment.keys() >= SERVICES["nats"]["environment"].keys()
        assert environment["NATS_ROUTES"].count("@") == len(nodes) == 3
        assert cluster["services"]["userbot"]["environment"]["NATS_URL"].count(f"//{name}:4222") == 1
    new = [cluster["services"][name] for name in nodes if name not in SERVICES]
    for service in new:
        same = service.keys() - {"environment", "volumes"}
        assert {key: service[key] for key in same} == {
            key: value for key, value in SERVICES["nats"].items() if key not in {"environment", "volumes"}
        }
    volumes = [volume.split(":") for service in new for volume in service["volumes"]]
    for source, *_ in volumes:
        assert (ROOT / source).is_file() or source in cluster["volumes"]


def test_every_user_of_nats_has_a_password_and_every_process_its_own_user():
    connecting = [service["environment"] for service in OURS.values() if "NATS_URL" in service["environment"]]
    assert len(connecting) == len(OURS) - len({"sandbox"})
    needed = {environment["NATS_USER"] for environment in connecting}
    users = set(re.findall(r"^ *user: (\w+)$", (ROOT / "deploy/nats-accounts.conf").read_text(), re.MULTILINE))
    assert needed <= users
    assert set(SERVICES["nats"]["environment"]) == {f"NATS_{user.upper()}_PASSWORD" for user in users}
    for environment in connecting:
        user = environment["NATS_USER"]
        assert environment["NATS_PASSWORD"] == f"${{NATS_{user.upper()}_PASSWORD}}"


def test_the_passwords_that_compose_asks_for_are_made_once_and_for_the_owner_only(tmp_path):
    script = tmp_path / "deploy/passwords.sh"
    script.parent.mkdir()
    script.write_text((ROOT / "deploy/passwords.sh").read_text())
    dotenv = tmp_path / ".env"
    dotenv.write_text("NATS_SETUP_PASSWORD=mine\nRABBITMQ_PASSWORD=\nAPI_ID=1")
    for _ in range(2):
        subprocess.run(["sh", script], check=True, timeout=30)
    lines = dotenv.read_text().splitlines()
    made = dict(line.split("=") for line in lines)
    files = (ROOT / name for name in ("compose.yaml", "deploy/cluster/compose.yaml"))
    asked = {name for file in files for name in re.findall(r"\{(\w+):\?run sh deploy/passwords.sh\}", file.read_text())}
    assert asked <= made.keys()
    assert all(made[name] for name in asked)
    assert (made["NATS_SETUP_PASSWORD"], made["API_ID"]) == ("mine", "1")
    assert len(lines) == 3 + len(asked) - 1 + 1  # whose the recordings are
    assert len({made[name] for name in asked}) == len(asked)
    assert dotenv.stat().st_mode & 0o077 == 0


def test_what_containers_read_may_be_read_by_their_users_whatever_the_umask_was_but_no_file_of_the_owners(tmp_path):
    mounted = [
        volume.split(":")[0]
        for service in with_the_nodes_of_the_cluster().values()
        for volume in service.get("volumes", [])
        if volume.startswith(("./deploy/", "./observability/"))
    ]
    for place in mounted:
        source, copy = ROOT / place, tmp_path / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    key = tmp_path / "certificates/own.key"
    key.parent.mkdir()
    key.touch()
    for path in [*tmp_path.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    made_beside(tmp_path, "")
    assert len(mounted) > 5
    for place in mounted:
        for path in [tmp_path / place, *(tmp_path / place).rglob("*")]:
            assert path.stat().st_mode & 0o005 == (0o005 if path.is_dir() else 0o004), place
    assert key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    [
        "NATS_SETUP_PASSWORD=mine",
        "export NATS_SETUP_PASSWORD=mine",
        "  export  NATS_SETUP_PASSWORD = mine",
        "NATS_SETUP_PASSWORD='mine'",
        'NATS_SETUP_PASSWORD="mine"\r',
    ],
)
def test_a_password_that_is_there_in_any_spelling_gets_no_second_line(tmp_path, line):
    assert made_beside(tmp_path, line).count("NATS_SETUP_PASSWORD") == 1


@pytest.mark.parametrize(
    "line",
    [
        "NATS_SETUP_PASSWORD=",
        'NATS_SETUP_PASSWORD=""',
        "NATS_SETUP_PASSWORD=\r",
        "#NATS_SETUP_PASSWORD=mine",
        "NATS_SETUP_PASSWORD= # mine",
    ],
)
def test_a_line_without_a_password_is_none(tmp_path, line):
    assert made_beside(tmp_path, line).count("NATS_SETUP_PASSWORD") == 2


def made_beside(directory, line):
    """What passwords.sh makes of `.env` with that line."""
    script = directory / "deploy/passwords.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text((ROOT / "deploy/passwords.sh").read_text())
    (directory / ".env").write_bytes(line.encode())
    subprocess.run(["sh", script], check=True, timeout=30)
    return (directory / ".env").read_text()


def test_rabbitmq_lets_the_originals_queue_be_declared():
    lines = (ROOT / "deploy/rabbitmq.conf").read_text().splitlines()
    assert "deprecated_features.permit.transient_nonexcl_queues = true" in lines


def test_the_command_line_starts_in_every_image_without_the_packages_of_the_other_roles():
    roles = ["aio_pika", "aiolimiter", "cryptography", "mtproto", "prompt_toolkit", "pyrogram", "regex", "tgcrypto"]
    heavy = ["torch", "transformers", "accelerate", "matplotlib", "peft"]
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in roles + heavy)
    code = f"import sys; {blocked}; sys.argv = ['timokha', '--help']; import cli; cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_the_image_is_built_with_every_licence_that_the_wheel_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = re.search(r"^COPY (pyproject.toml .*) \./$", DOCKERFILE, re.MULTILINE)[1].split()
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    for name in project["license-files"]:
        assert (ROOT / name).is_file()
        assert name in copied
        assert f"!{name}" in let_in
    assert "Gemma Terms of Use" in (ROOT / "NOTICE").read_text(), "the voice ships under them"
    assert "LicenseRef-Gemma-Terms-of-Use" in project["license"]


def test_a_clone_has_a_place_for_models_whose_content_is_in_no_commit_and_in_no_image(tmp_path):
    tracked = subprocess.run(["git", "ls-files", "models"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert tracked.split() == ["models/.gitignore"]
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "models/mine/model.safetensors").touch()
    shutil.copy(ROOT / "models/.gitignore", tmp_path / "models")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    seen = ["git", "status", "--porcelain", "--untracked-files=all"]
    assert (
        subprocess.run(seen, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        == "?? models/.gitignore\n"
    )
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!models")]


def test_every_image_knows_which_one_it_is_and_has_no_pip():
    targets = {service["build"]["target"] for service in OURS.values()}
    for target in targets:
        stage = DOCKERFILE.partition(f"FROM build AS build-{target}\n")[2].partition("\nFROM ")[0]
        assert f"RUN echo {target} >/opt/timokha/image\n" in f"{stage}\n", target
    assert "RUN python -m venv --without-pip /opt/timokha" in DOCKERFILE
