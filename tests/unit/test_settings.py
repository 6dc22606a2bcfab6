"""Settings as a whole: JSON and TOML with unknown keys, second names, passwords in complaints."""

import pytest

from cli.settings import DeadLetterSettings
from edge.business.settings import BusinessSettings
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError
from events.setting_problems import without_passwords
from functions.generate.settings import GenerateSettings
from training.settings import FitSettings

NEEDED = {"api_id": "1", "api_hash": "x"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("json", "said"),
    [
        ('{"tempratur": 1}', "there is no 'tempratur' (did you mean temperature?)"),
        ('{"temperature": 1, "topk": 1, "sed": 1}', "no 'topk' (did you mean top_k?); there is no 'sed' (did you"),
        ('{"x{y}": 1}', "there is no 'x{y}'"),
        ('{"temperature": 9}', "temperature is 9; input should be less than or equal to 5"),
        ('{"temperature": 1', 'it takes sampling settings as JSON, e.g. {"temperature": 0.5'),
        ("[1]", "got [1], it takes sampling settings as JSON"),
    ],
)
@pytest.mark.parametrize("place", ["option", "environment", ".env"])
def test_json_with_an_unknown_key_or_a_bad_value_is_refused(tmp_path, monkeypatch, json, said, place):
    if place == "environment":
        monkeypatch.setenv("USERBOT_SAMPLING", json)
    elif place == ".env":
        (tmp_path / ".env").write_text(f"USERBOT_SAMPLING='{json}'")
    with pytest.raises(SettingsError) as refused:
        UserbotSettings.read(**NEEDED, **({"sampling": json} if place == "option" else {}))
    assert str(refused.value).startswith("USERBOT_SAMPLING: ")
    assert said in str(refused.value)


def test_of_names_that_differ_in_case_the_last_line_counts(tmp_path):
    (tmp_path / ".env").write_text("USERBOT_PREFIX=a\nuserbot_prefix=b\nUSERBOT_PREFIX=c\n")
    assert UserbotSettings.read(**NEEDED).prefix == "c"


def test_json_that_is_right_is_read():
    assert UserbotSettings.read(**NEEDED, sampling='{"top_k": 5}').sampling.top_k == 5


@pytest.mark.parametrize("place", ["option", "environment"])
def test_a_toml_file_with_an_unknown_name_is_refused_and_one_that_is_right_is_read(tmp_path, monkeypatch, place):
    file = tmp_path / "config.toml"
    given = {"config": file} if place == "option" else {}
    if place == "environment":
        monkeypatch.setenv("TRAINING_CONFIG", str(file))
    file.write_text('learning_rat = 0.1\ndata = "d"\nTRAINING_RANK = 4\n')
    with pytest.raises(SettingsError) as refused:
        FitSettings.read(**given)
    assert f"TRAINING_CONFIG: {file}: there is no 'learning_rat' (did you mean learning_rate?)" in str(refused.value)
    assert "'TRAINING_RANK' (did you mean rank?)" in str(refused.value)
    file.write_text('rank = 4\ndata = "d"\nout = "o"\n')
    assert FitSettings.read(**given).rank == 4


def test_a_variable_has_one_name(monkeypatch):
    """pydantic would take the name of a field as well."""
    monkeypatch.setenv("ID", "1.2.3.0")
    with pytest.raises(SettingsError, match="DEADLETTER is missing"):
        DeadLetterSettings.read()
    monkeypatch.setenv("GENERATE_OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert GenerateSettings.read().openai_base_url is None


def test_a_complaint_repeats_no_password_of_a_url(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "htp://me:geheim@127.0.0.1:x/v1?key=geheim")
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL: got") as refused:
        GenerateSettings.read()
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://u:geheim@h:4222,nats://u:ge@heim@h2:1", "nats://***@h:4222,nats://***@h2:1"),
        ("nats://u:ge,heim@h", "nats://***@h"),
        ("nats://geheim@h", "nats://***@h"),
        ("[nats-route://c:geheim@n1:1, nats-route://c:geheim@n2:1]", "[nats-route://***@n1:1, nats-route://***@n2:1]"),
        ("amqp://u:a://geheim@b/", "amqp://***@b/"),
        ("amqp://user:geheim", "amqp://user:***"),
        ("http://h:8000/v1?key=geheim", "http://h:8000/v1?***"),
        ("u:geheim@h:4222", "***@h:4222"),
        ("u:ge@heim@h,u:geheim@h2", "***@h2"),
        ("//u:geheim@h", "***@h"),
        ("http:/u:geheim@h/v1", "***@h/v1"),
        ("nats://u:geheim@h,u:geheim@h2:1", "nats://***@h2:1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("h:4222,h2:4222", "h:4222,h2:4222"),
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("Тимоха, a@b", "Тимоха, a@b"),
        ("Тимоха: a@b", "Тимоха: a@b"),
    ],
)
def test_urls_are_shown_without_what_may_be_a_password(text, shown):
    assert without_passwords(text) == shown


@pytest.mark.parametrize("wanted", [{"approve": "all"}, {"contacts": '{"@anna": {"approve": true}}'}])
def test_a_bot_that_needs_approval_needs_an_owner(wanted):
    with pytest.raises(SettingsError, match=r"^USERBOT_APPROVE: a bot sends its drafts to USERBOT_OWNER; set that"):
        UserbotSettings.read(**NEEDED, **wanted, bot_token="1:x")
    UserbotSettings.read(**NEEDED, **wanted, bot_token="1:x", owner="7")
    UserbotSettings.read(**NEEDED, **wanted)
    UserbotSettings.read(**NEEDED, bot_token="1:x")


def test_answers_for_connected_persons_need_no_owner_to_be_approved():
    assert BusinessSettings.read(**NEEDED, approve="all", bot_token="1:x").wants_approval


@pytest.mark.parametrize(
    "triggers", [{"triggers": "private,mentions:50%"}, {"contacts": '{"@a": {"triggers": ["mentions"]}}'}]
)
def test_a_trigger_that_can_apply_in_no_chat_is_said_to_have_no_effect(triggers):
    [line] = UserbotSettings.read(**NEEDED, **triggers).without_effect
    assert line.startswith("the trigger mentions has no effect without USERBOT_GROUPS")
    assert UserbotSettings.read(**NEEDED, **triggers, groups="-1001234567890").without_effect == []
    assert UserbotSettings.read(**NEEDED, triggers="replies,any").without_effect == []
