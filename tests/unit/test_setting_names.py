"""Names that are mistyped are found, those of commands, compose and OpenTelemetry known, and those of others let be."""

import os
import re
from pathlib import Path

import pytest

from cli.commands import COMMANDS
from cli.config.names import known, repeated, variables
from cli.config.other_variables import OTHERS, export_to_libraries
from events.dotenv import Line
from events.names import MAX_NAMED, nearest, short_list
from events.schema import Sampling

ROOT = Path(__file__).parents[2]
NAMES = known()


def lines(*names: str) -> list[Line]:
    return [Line(number, name, "x") for number, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("USERBOT_PREFFIX", "USERBOT_PREFIX"),
        ("userbot_prefx", "USERBOT_PREFIX"),
        ("USERBOT-PREFIX", "USERBOT_PREFIX"),
        ("USRBOT_PREFIX", "USERBOT_PREFIX"),
        ("GENERATE_PREFIX", "USERBOT_PREFIX"),
        ("USERBOT_SLOTS", "GENERATE_SLOTS"),
        ("USERBOT_API_ID", "API_ID"),
        ("APIID", "API_ID"),
        ("APP_HASH", "API_HASH"),
        ("API_HSAH", "API_HASH"),
        ("BOT_TOKEN_", "BOT_TOKEN"),
        ("LOG_LEVLE", "LOG_LEVEL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("NATS_ULR", "NATS_URL"),
        ("NAT_URL", "NATS_URL"),
        ("NATS_CREDS", "NATS_CREDENTIALS"),
        ("NATS_PASS", "NATS_PASSWORD"),
        ("NATS_USERBOT_PASWORD", "NATS_USERBOT_PASSWORD"),
        ("RABBITMQ_URI", "RABBITMQ_URL"),
        ("OPENAI_BASE_URI", "OPENAI_BASE_URL"),
        ("OTEL_EXPORTER_OTLP_ENDPIONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("otel_exporter_otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("TIMOKHA_CACHEDIR", "TIMOKHA_CACHE"),
        ("TORCH_INDX", "TORCH_INDEX"),
    ],
)
def test_a_mistyped_name_in_dotenv_is_refused_with_the_nearest_right_one_and_its_line(name, meant):
    assert NAMES.mistyped(lines("API_ID", name)) == [f".env, line 2: there is no {name} (did you mean {meant}?)"]


@pytest.mark.parametrize("name", ["USERBOT_FOO", "NATS_CONTEXT", "RABBITMQ_NODENAME"])
def test_in_dotenv_our_prefixes_are_ours_and_no_name_is_suggested_that_is_not_near(name):
    (said,) = NAMES.mistyped(lines(name))
    assert said.startswith(f".env, line 1: there is no {name} (")
    assert "did you mean" not in said


def test_every_unknown_name_is_told_at_once_with_all_its_lines():
    said = NAMES.mistyped(lines("NATS_ULR", "USERBOT_LIFE", "NATS_ULR"))
    assert [line.partition(":")[0] for line in said] == [".env, lines 1, 3", ".env, line 2"]


OTHERS_NAMES = [
    *(
        "COMPOSE_FILE",
        "COMPOSE_PROJECT_NAME",
        "COMPOSE_BAKE",
        "COMPOSE_PATH_SEPARATOR",
        "POSTGRES_PASSWORD",
        "REDIS_URL",
        "DATABASE_URL",
        "PYTHONPATH",
    ),
    *("LOG_FORMAT", "LOG_FILE", "API_KEY", "API_URL", "BOT_NAME", "TORCH_HOME", "OPENAI_ORG_ID", "HTTPS_PROXY"),
    *("OTEL_PYTHON_LOG_CORRELATION", "OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT"),
    *("OTEL_EXPORTER_OTLP_PROFILES_HEADERS", "OTEL_JAVAAGENT_ENABLED", "TRACEPARENT", "USER", "HOME", "SETUP"),
]


def test_names_that_do_not_begin_as_ours_are_let_be():
    assert NAMES.mistyped(lines(*OTHERS_NAMES)) == []
    assert NAMES.suspicious(OTHERS_NAMES) == []


def test_in_the_environment_what_others_set_is_let_be_and_the_rest_is_doubted():
    theirs = [
        *("NATS_SERVICE_HOST", "NATS_SERVICE_PORT_CLIENT", "NATS_PORT", "NATS_PORT_4222_TCP_ADDR"),
        *("USERBOT_SERVICE_HOST", "USERBOT_PORT_80_TCP", "BRIDGE_SERVICE_PORT", "NATS_CONTEXT", "NATS_CREDS"),
        *("RABBITMQ_NODENAME", "RABBITMQ_NODE_PORT", "RABBITMQ_DEFAULT_PASS", "RABBITMQ_HOME", "RABBITMQ_LOGS"),
        *("RABBIT_URL", "APP_ID", "GENERATE_SOURCEMAP"),
    ]
    assert NAMES.suspicious([*theirs, "NATS_ULR", "USERBOT_FOO", "NATS_URL"]) == [
        "NATS_ULR (did you mean NATS_URL?)",
        "USERBOT_FOO",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_names_of_every_command_are_known_to_all(command):
    for name in variables(COMMANDS[command].settings):
        assert NAMES.mistyped(lines(name, name.lower())) == []
        assert NAMES.suspicious([name, name.lower()]) == []


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/cluster/compose.yaml"])
def test_every_name_that_compose_takes_from_dotenv_is_known(file):
    text = (ROOT / file).read_text()
    asked = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"^ +([A-Z][A-Z_]+):$", text, re.MULTILINE))
    assert asked
    assert NAMES.mistyped(lines(*asked)) == []


def test_every_name_that_is_written_or_read_in_deploy_is_known():
    texts = "".join(path.read_text() for path in (ROOT / "deploy").rglob("*.conf"))
    asked = set(re.findall(r"\$([A-Z_]{4,})", texts))
    assert len(asked) > 3
    assert NAMES.mistyped(lines(*asked)) == []
    assert set(OTHERS) <= NAMES.others


def test_what_is_no_name_at_all_is_told_in_one_short_line():
    for name in ("USERBOT_\x1b[31m", "USERBOT_" + "x" * 5000, "NATS_" + "URL" * 5000, "NATS_\r\n", "USERBOT_привет"):
        (said,) = NAMES.mistyped(lines(name))
        assert said.isprintable()
        assert len(said) < 200
    many = [f"USERBOT_X{number}" for number in range(30)]
    assert short_list(NAMES.mistyped(lines(*many))).endswith(f"and {30 - MAX_NAMED} more")


@pytest.mark.parametrize(
    "name", ["NATS_PASSWORD:s3cr3t", "BOT_TOKEN:s3cr3t", "USERBOT_SESION…s3cr3t", "API_HASH->s3cr3t"]
)
def test_a_value_that_is_written_without_an_equals_sign_is_not_shown(name):
    for said in (*NAMES.mistyped(lines(name)), *NAMES.suspicious([name])):
        assert "s3cr3t" not in said
    if name.startswith("NATS"):
        assert NAMES.mistyped(lines(name)) == [
            ".env, line 1: there is no 'NATS_PASSWORD…' (did you mean NATS_PASSWORD?)"
        ]


def test_a_name_that_is_set_twice_is_told_only_if_the_lines_differ():
    found = [Line(1, "A", ""), Line(2, "A", "1"), Line(3, "B", "1"), Line(5, "b", "2"), Line(6, "C", "1")]
    assert repeated([*found, Line(7, "C", "1")]) == [".env, lines 3, 5: b is set again, and the last line counts"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(("tempratur", "temperature"), ("temp", "temperature"), ("Temperature", "temperature")),
        *(("max_tokens", "max_new_tokens"), ("maxNewTokens", "max_new_tokens"), ("topk", "top_k"), ("min_p", None)),
    ],
)
def test_the_nearest_key_of_a_model(key, meant):
    assert nearest(key, Sampling.model_fields) == meant


def test_the_hubs_variables_may_stand_in_dotenv(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "HF_ENDPOINT"):  # what is taken over goes again
        monkeypatch.setenv(name, "")
    (tmp_path / ".env").write_text("HF_TOKEN=hf_mine\nHF_ENDPOINT=http://hub\n")
    export_to_libraries()
    assert (os.environ["HF_TOKEN"], os.environ["HF_ENDPOINT"]) == ("hf_mine", "http://hub")
    assert NAMES.mistyped(lines("HF_TOKEN", "HF_ENDPOINT", "HF_HOME")) == []
    assert len(NAMES.mistyped(lines("HF_TOKN"))) == 1
