"""What is set under a wrong name is refused or doubted by every command; `timokha config` shows and checks it all."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from cli.commands import COMMANDS
from cli.config.sections import fields, sections
from cli.faults import exit_code
from cli.program import program
from events.errors import TimokhaError
from events.runtime.signals import Signals
from events.toml_file import Place

ROOT = Path(__file__).parents[2]
SECRET = "geheim"
SECRETS = {
    "API_HASH": SECRET,
    "BOT_TOKEN": f"1:{SECRET}",
    "USERBOT_SESSION": f"{SECRET}.session",
    "NATS_URL": f"nats://me:{SECRET}@127.0.0.1:4222",
    "NATS_PASSWORD": SECRET,
    "RABBITMQ_URL": f"amqp://me:{SECRET}@broker:5672/host?key={SECRET}",
    "OPENAI_BASE_URL": f"http://me:{SECRET}@127.0.0.1/v1?key={SECRET}",
    "OPENAI_API_KEY": SECRET,
    "RECORD_KEY": SECRET,
    "NATS_SETUP_PASSWORD": SECRET,
    "NATS_ROUTES": f"[nats-route://cluster:{SECRET}@n1:6222, nats-route://cluster:{SECRET}@n2:6222]",
    "RABBITMQ_PASSWORD": SECRET,
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}",
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://me:{SECRET}@127.0.0.1:4318",
    "USERBOT_PREFFIX": SECRET,
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ, clear=True):
        yield


def timokha(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command, as long as it starts nothing."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = program(Signals(service=False))(list(words), standalone_mode=False)
        except (TimokhaError, click.ClickException) as error:
            code = exit_code(error)
    return code or 0, out.getvalue(), err.getvalue()


def rows(shown: str) -> dict[str, list[str]]:
    """By variable, where it is written and its value."""
    return {words[0]: words[1:] for line in shown.splitlines() if (words := line.split(maxsplit=2)) and line[0] == " "}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_all_unknown_names_of_dotenv_in_one_line(command):
    Path(".env").write_text("\nUSERBOT_PREFFIX=x\nexport NATS_ULR=x\nNATS_USERBOT_PASSWORD=x\nGENERATE_SLOTS=2\n")
    code, out, err = timokha(*command.split())
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert ".env, line 2: there is no USERBOT_PREFFIX (did you mean USERBOT_PREFIX?); .env, line 3: there is" in line
    assert "there is no NATS_ULR (did you mean NATS_URL?)" in line
    assert "USERBOT_PASSWORD" not in line
    assert "SLOTS" not in line


def test_a_missing_setting_is_told_with_what_it_may_have_been_mistyped_as():
    os.environ |= {"API_ID": "1", "API_HSAH": SECRET}
    code, _, err = timokha("userbot")
    assert code == 2
    assert "API_HASH is missing" in err
    assert "in the environment there may be a mistyped API_HSAH (did you mean API_HASH?)" in err
    assert SECRET not in err


def test_the_environment_is_one_warning_and_the_command_goes_on(tmp_path):
    (tmp_path / ".env").write_text("TRACE_LAST=true\nTRACE_LAST=false\n")
    (tmp_path / "spans").touch()
    theirs = {"NATS_SERVICE_HOST": "x", "NATS_PORT_4222_TCP": "x", "NATS_CONTEXT": "x", "RABBITMQ_NODENAME": "x"}
    ours = {"NATS_ULR": SECRET, "USERBOT_PREFFIX": SECRET}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "trace", "--trace-file", "spans"],
        env={"PYTHONPATH": str(ROOT), **theirs, **ours},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    *logged, last = done.stderr.splitlines()
    warned = {line["event"]: line for line in map(json.loads, logged)}
    assert "/spans has no spans" in last
    assert list(warned) == ["settings.unknown", "settings.repeated"]
    assert warned["settings.unknown"]["level"] == "warning"
    named = "NATS_ULR (did you mean NATS_URL?); USERBOT_PREFFIX (did you mean USERBOT_PREFIX?)"
    assert warned["settings.unknown"]["names"] == named
    assert warned["settings.repeated"]["names"].startswith(".env, lines 1, 2: TRACE_LAST is set again")
    assert SECRET not in done.stderr


def test_opentelemetry_finds_its_variables_of_dotenv(tmp_path):
    (tmp_path / ".env").write_text("OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1\nOTEL_TRACES_EXPORTER=otlp\n")
    os.environ["OTEL_TRACES_EXPORTER"] = "otlp"
    (tmp_path / "spans").touch()
    code, _, err = timokha("trace", "--trace-file", "spans")
    assert (code, err) == (
        2,
        "timokha: OTEL_EXPORTER_OTLP_ENDPOINT is '127.0.0.1'; it takes a URL such as http://localhost:4318\n",
    )


def test_show_tells_each_value_and_where_it_is_written(tmp_path):
    os.environ |= {"USERBOT_PREFIX": "Бот,", "GENERATE_ENGINE": "echo", "USERBOT_LIVE": "", "LOG_LEVEL": "info"}
    content = "\n\nAPI_ID=5\nUSERBOT_PREFIX=Тимоха,\nUSERBOT_LIVE=true # yes\nNATS_NODE=n1\nuserbot_deadline=1\n"
    (tmp_path / ".env").write_text(content)
    code, out, err = timokha("config", "show")
    assert (code, err) == (0, "")
    shown = rows(out)
    assert shown["API_ID"] == [".env:3", "5"]
    assert shown["USERBOT_PREFIX"] == ["environment", "Бот,"]
    assert shown["USERBOT_LIVE"] == [".env:5", "true"]
    assert shown["USERBOT_DEADLINE"] == [".env:7", "1"]
    assert shown["GENERATE_SLOTS"] == ["default", "1"]  # as it is with the engine echo
    assert shown["BRIDGE_DEADLINE"] == ["default", "120"]
    assert shown["API_HASH"] == ["missing"]
    assert shown["NATS_NODE"] == [".env:6", "n1"]
    assert {field.variable for section in sections() for field in section.fields} <= set(shown)


@pytest.mark.parametrize("command", COMMANDS)
def test_show_tells_all_of_one_command_and_nothing_of_others(command):
    code, out, err = timokha("config", "show", *command.split())
    assert (code, err) == (0, "")
    assert set(rows(out)) == {field.variable for field in fields(COMMANDS[command].settings)}


def test_show_tells_whole_paths(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / ".env").write_text("GENERATE_MODEL=mine\nNATS_TLS_CA=ca.pem\nTRAINING_EXPORT=~/result.json\n")
    os.environ["HOME"] = str(tmp_path / "home")
    shown = rows(timokha("config", "show")[1])
    assert shown["GENERATE_MODEL"] == [".env:1", str(tmp_path / "mine")]
    assert shown["NATS_TLS_CA"] == [".env:2", str(tmp_path / "ca.pem")]
    assert shown["TRAINING_EXPORT"] == [".env:3", str(tmp_path / "home/result.json")]  # though TRAINING_OUT is missing
    (tmp_path / ".env").write_text("TRAINING_EXPORT=~nobody-of-this-name/x\n")
    assert rows(timokha("config", "show")[1])["TRAINING_EXPORT"] == [".env:1", "~nobody-of-this-name/x"]


def test_show_goes_on_with_what_is_bad_and_says_so(tmp_path):
    (tmp_path / ".env").write_text("GENERATE_SLOTS=four\nUSERBOT_PREFFIX=x\n")
    code, out, err = timokha("config", "show")
    assert code == 0
    assert rows(out)["GENERATE_SLOTS"] == [".env:1", "four"]
    assert "GENERATE_SLOTS: got 'four', it takes" in err
    assert "there is no USERBOT_PREFFIX (did you mean" in err


def test_a_file_that_a_setting_names_is_where_its_values_come_from(tmp_path):
    (tmp_path / "config.toml").write_text('rank = 4\ndata = "d"\n')
    os.environ |= {"TRAINING_CONFIG": "config.toml", "TRAINING_RANK": "8"}
    shown = rows(timokha("config", "show", "train", "fit")[1])
    assert shown["TRAINING_RANK"] == ["TRAINING_CONFIG", "4"]
    assert shown["TRAINING_DATA"] == ["TRAINING_CONFIG", str(tmp_path / "d")]


def in_toml(variables: dict[str, str]) -> str:
    """The file `timokha.toml` that sets these variables to these texts."""
    places = {Place.of(name): json.dumps(value) for name, value in variables.items()}
    lines = [f"{place.key} = {value}" for place, value in sorted(places.items()) if not place.table]
    return "\n".join([*lines, *(f"{place} = {value}" for place, value in places.items() if place.table)])


@pytest.mark.parametrize("place", ["environment", ".env", "timokha.toml"])
@pytest.mark.parametrize("part", ["show", "check"])
def test_secrets_are_hidden(tmp_path, place, part):
    secrets = SECRETS
    if place == "environment":
        os.environ |= secrets
    elif place == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in secrets.items()))
    else:
        of_compose = {"NATS_SETUP_PASSWORD", "NATS_ROUTES", "RABBITMQ_PASSWORD"}
        secrets = {name: value for name, value in SECRETS.items() if name not in of_compose | {"USERBOT_PREFFIX"}}
        (tmp_path / "timokha.toml").write_text(f"userbot_preffix = '{SECRET}'\n{in_toml(secrets)}\n")
    _, out, err = timokha("config", part)
    assert SECRET not in out + err
    assert "USERBOT_PREFFIX" in (out + err).upper()
    if part == "show":
        assert set(secrets) - {"USERBOT_PREFFIX"} <= set(rows(out))
        assert rows(out)["NATS_URL"][1] == "nats://***@127.0.0.1:4222"
        assert rows(out)["RABBITMQ_URL"][1] == "amqp://***@broker:5672/host?***"


def test_check_is_content_with_what_is_right_and_names_what_commands_need_more(tmp_path):
    (tmp_path / ".env").write_text("NATS_TOOLS_PASSWORD=x\nGENERATE_ENGINE=echo\nCOMPOSE_PROFILES=x\n")
    code, out, err = timokha("config", "check")
    assert (code, err) == (0, "")
    assert "timokha userbot also needs API_ID, API_HASH\n" in out
    assert "DEADLETTER" not in out
    assert out.splitlines()[-1].startswith("ok")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GENERATE_SLOTS", "four", "GENERATE_SLOTS: got 'four', it takes"),
        ("GENERATE_ENGINE", "openai", "OPENAI_BASE_URL is missing"),
        ("USERBOT_SAMPLING", '{"tempratur": 1}', "(did you mean temperature?)"),
        ("NATS_URL", "htp://x", "htp is no scheme of NATS"),
        ("NATS_CREDENTIALS", "nowhere", "nowhere can't be read"),
        ("NATS_TLS_CA", "nowhere", "NATS_TLS_CA"),
        ("RABBITMQ_URL", "amqp:/x", "RABBITMQ_URL: it takes"),
        ("TRAINING_CONFIG", "nowhere", "TRAINING_CONFIG: nowhere can't be read"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x", "OTEL_EXPORTER_OTLP_ENDPOINT is 'x'"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon", "OTEL_BSP_SCHEDULE_DELAY is 'soon'"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL: got 'loud'"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env", "timokha.toml"])
def test_check_finds_bad_values_of_any_command_once(tmp_path, name, value, said, place):
    if place == "environment":
        os.environ[name] = value
    elif place == ".env":
        (tmp_path / ".env").write_text(f"{name}='{value}'\n")
    else:
        (tmp_path / "timokha.toml").write_text(in_toml({name: value}))
        said = said.replace(f"{name}: got", f"timokha.toml, {Place.of(name)}: got")
    code, out, err = timokha("config", "check")
    assert (code, err) == (2, "timokha: 1 setting has to be corrected\n")
    (line,) = out.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[userbot]\nprefx = 1\n", "there is no userbot.prefx (did you mean userbot.prefix?)"),
        ("userbot.prefx = 1\n", "there is no userbot.prefx (did you mean userbot.prefix?)"),
        ("userbot_prefix = 'x'\n", "there is no userbot_prefix (did you mean userbot.prefix?)"),
        ("prefix = 'x'\n", "there is no prefix (did you mean userbot.prefix?)"),
        ("NATS_URL = 'x'\n", "there is no NATS_URL (did you mean nats_url?)"),
        ("[userbot]\napi_id = 1\n", "there is no userbot.api_id (did you mean api_id?)"),
        ("[userbot]\nslots = 1\n", "there is no userbot.slots (did you mean generate.slots?)"),
        ("[nats]\nurl = 1\n", "there is no table nats"),
        ("[userbt]\nprefix = 1\n", "there is no table userbt (did you mean userbot?)"),
        ("[contact.1]\nlive = true\n", "there is no table contact (did you mean contacts?)"),
        ("userbot = 1\n", "userbot is a table; write its settings below [userbot]"),
        ("[generate]\nmemory = '3g'\n", "generate.memory has no effect here; set GENERATE_MEMORY in .env"),
        ("rabbitmq_password = 'x'\n", "rabbitmq_password has no effect here; set RABBITMQ_PASSWORD in .env"),
        ("deadletter = 'x'\n", "there is no deadletter"),
        ('"a\\nb" = 1\n', "there is no 'a\\nb'"),
        (f"{'x' * 1000} = 1\n", f"there is no '{'x' * 60}'…"),
    ],
)
def test_every_name_in_the_toml_file_that_no_setting_has_is_one_line_with_the_nearest(tmp_path, text, said):
    (tmp_path / "timokha.toml").write_text(text)
    code, out, err = timokha("config", "check")
    assert (code, err) == (2, "timokha: 1 setting has to be corrected\n")
    (line,) = out.splitlines()
    assert line.startswith(f"timokha.toml: {said}")
    code, out, err = timokha("trace")
    assert (code, out) == (2, "")
    assert err.startswith(f"timokha: timokha.toml: {said}")


def test_show_tells_what_the_toml_file_says_with_lists_and_tables(tmp_path):
    (tmp_path / ".env").write_text("USERBOT_LIVE=false\n")
    (tmp_path / "timokha.toml").write_text(
        "otel_exporter_otlp_endpoint = 'http://c:4318'\nnats_url = ['nats://a:1', 'nats://b:1']\n"
        "[userbot]\nprefix = 'эй'\nlive = true\nowner_pause = 7.5\n[userbot.sampling]\ntop_k = 3\n"
        "[contacts.'@anna']\nlanguage = 'en'\n"
    )
    shown = rows(timokha("config", "show")[1])
    assert shown["USERBOT_PREFIX"] == ["timokha.toml", "эй"]
    assert shown["USERBOT_LIVE"] == [".env:1", "false"]
    assert shown["USERBOT_OWNER_PAUSE"] == ["timokha.toml", "7.5"]
    assert shown["USERBOT_SAMPLING"] == ["timokha.toml", '{"top_k": 3}']
    assert shown["NATS_URL"] == ["timokha.toml", "nats://a:1,nats://b:1"]
    assert shown["TIMOKHA_CONTACTS"] == ["timokha.toml", '{"@anna": {"language": "en"}}']
    assert shown["OTEL_EXPORTER_OTLP_ENDPOINT"] == ["timokha.toml", "http://c:4318"]


def test_opentelemetry_finds_its_variables_of_the_toml_file(tmp_path):
    (tmp_path / "timokha.toml").write_text("otel_exporter_otlp_endpoint = '127.0.0.1'\notel_traces_exporter = 'otlp'\n")
    (tmp_path / "spans").touch()
    code, _, err = timokha("trace", "--trace-file", "spans")
    assert code == 2
    assert err.startswith("timokha: OTEL_EXPORTER_OTLP_ENDPOINT is '127.0.0.1'")


@pytest.mark.parametrize("words", [("config", "show"), ("config", "check"), ("userbot",), ("doctor",)])
def test_a_toml_file_that_cant_be_read_is_told_with_its_line(tmp_path, words):
    (tmp_path / "timokha.toml").write_text("a = 1\nb =\n")
    assert timokha(*words) == (2, "", "timokha: timokha.toml, line 2: Invalid value\n")


def test_check_finds_unknown_names_and_doubts_the_environments(tmp_path):
    os.environ |= {"NATS_ULR": "x", "USERBOT_PREFFIX": ""}
    code, out, _ = timokha("config", "check")
    assert code == 0
    assert "in the environment there may be a mistyped NATS_ULR (did you mean NATS_URL?)\n" in out
    assert "PREFFIX" not in out  # an empty variable counts as unset
    (tmp_path / ".env").write_text("NATS_ULR=x\n")
    code, out, err = timokha("config", "check", "generate")
    assert (code, err) == (2, "timokha: 1 setting has to be corrected\n")
    assert out.startswith(".env, line 1: there is no NATS_ULR (did you mean NATS_URL?)\n")


@pytest.mark.parametrize("part", ["check", "show"])
def test_a_right_value_that_has_no_effect_is_said_once_and_is_no_fault(part):
    os.environ |= {"API_ID": "1", "API_HASH": "x", "BOT_TOKEN": "1:x", "USERBOT_TRIGGERS": "mentions"}
    code, out, err = timokha("config", part)
    said = [line for line in (out + err).splitlines() if "has no effect" in line]
    assert (code, [line.startswith("the trigger mentions") for line in said]) == (0, [True])
    os.environ["USERBOT_GROUPS"] = "-1001234567890"
    code, out, err = timokha("config", part)
    assert (code, "has no effect" in out + err) == (0, False)


def test_what_one_command_needs_is_no_fault_of_the_others():
    assert timokha("config", "check", "generate")[0] == 0
    code, out, _ = timokha("config", "check", "userbot")
    assert code == 2
    assert "API_ID is missing" in out


@pytest.mark.parametrize("part", ["show", "check"])
def test_a_command_that_is_not_there_is_told_with_the_nearest(part):
    code, _, err = timokha("config", part, "genrate")
    assert code == 2
    assert "There is no command 'genrate' (did you mean generate?)." in err
    assert timokha("config", part, "train")[0] in {0, 2}


@pytest.mark.parametrize("part", ["show", "check"])
def test_a_dotenv_that_cant_be_read_is_told_with_its_line(tmp_path, part):
    (tmp_path / ".env").write_text("API_ID=1\nAPI_HASH: x\n")
    assert timokha("config", part) == (2, "", "timokha: .env, line 2: write NAME=value, and close every quote\n")


def test_an_option_that_is_mistyped_is_told_with_the_right_one():
    code, _, err = timokha("generate", "--slot", "4")
    assert code == 2
    assert "--slots" in err
