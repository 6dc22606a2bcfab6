"""Settings in `timokha.toml`: what wins, which types there are, what is refused."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.settings import BridgeSettings
from cli.commands import COMMANDS
from cli.config.reading import check_names
from cli.config.sections import sections
from cli.settings import DeadLetterSettings, DoctorSettings, RecordSettings, ResendSettings
from edge.userbot.current_rules import rules_of
from edge.userbot.people import Person
from edge.userbot.settings import UserbotSettings
from events.errors import SettingsError
from events.settings import ProcessSettings, Settings, SettingSource
from events.toml_file import TABLES, Place
from functions.generate.settings import GenerateSettings
from training.settings import FitSettings

NEEDED = {"api_id": "1", "api_hash": "x"}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write `timokha.toml` into the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.partition("_")[0].lower() in TABLES]:
        monkeypatch.delenv(name)
    return lambda text: (tmp_path / "timokha.toml").write_bytes(text.encode() if isinstance(text, str) else text)


def userbot(**given) -> UserbotSettings:
    return UserbotSettings.read(**NEEDED, **given)


def refused(read=userbot) -> str:
    with pytest.raises(SettingsError) as error:
        read()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_an_option_wins_over_the_environment_that_over_dotenv_and_that_over_the_file(write, tmp_path, monkeypatch):
    write('[userbot]\nprefix = "file"\nlanguage = "en"\nlive = true\nwhen_busy = "queue"\n')
    (tmp_path / ".env").write_text("USERBOT_PREFIX=dotenv\nUSERBOT_LANGUAGE=ru\nUSERBOT_LIVE=false\n")
    monkeypatch.setenv("USERBOT_PREFIX", "environment")
    monkeypatch.setenv("USERBOT_LANGUAGE", "en")
    settings = userbot(prefix="option")
    assert (settings.prefix, settings.language, settings.live, settings.when_busy) == ("option", "en", False, "queue")
    found = {name: origin for name, (origin, _) in UserbotSettings.sources().items()}
    assert found == {
        "prefix": SettingSource.ENVIRONMENT,
        "language": SettingSource.ENVIRONMENT,
        "live": SettingSource.DOTENV,
        "when_busy": SettingSource.TOML,
    }


def test_an_empty_variable_and_an_empty_text_leave_a_setting_to_the_next_place(write, monkeypatch):
    write('nats_user = ""\n[userbot]\nprefix = "file"\n')
    monkeypatch.setenv("USERBOT_PREFIX", "")
    assert (userbot().prefix, userbot().nats_user) == ("file", None)


def test_every_class_finds_its_settings_at_the_top_and_in_its_table(write, tmp_path):
    write(
        """
        nats_url = ["nats://a:1", "nats://b:1"]
        trace_file = "spans"
        openai_base_url = "http://127.0.0.1:1/v1"
        [userbot]
        deadline = 7
        [generate]
        engine = "echo"
        slots = 3
        echo_delay = 0.5
        [bridge]
        direction = "in"
        [doctor]
        parts = ["generate", "bridge"]
        [record]
        since = 2026-11-24T12:00:00Z
        [training]
        data = "d"
        out = "o"
        dropout = 0
        """
    )
    generate = GenerateSettings.read()
    assert (generate.slots, generate.echo_delay) == (3, timedelta(seconds=0.5))
    assert str(generate.openai_base_url) == "http://127.0.0.1:1/v1"
    assert ProcessSettings.read().nats_url == "nats://a:1,nats://b:1"
    assert Settings.read().trace_file == tmp_path / "spans"
    assert ResendSettings.read(id="1.2.3.0").deadline == timedelta(seconds=7)
    assert BridgeSettings.read().direction == "in"
    assert DoctorSettings.read().parts == "generate,bridge"
    assert str(RecordSettings.read().since) == "2026-11-24 12:00:00+00:00"
    assert FitSettings.read().out == tmp_path / "o"


def test_a_table_is_what_other_places_write_as_json(write, monkeypatch):
    write("[userbot.sampling]\ntemperature = 0.5\ntop_k = 3\n")
    assert (userbot().sampling.temperature, userbot().sampling.top_k) == (0.5, 3)
    monkeypatch.setenv("USERBOT_SAMPLING", '{"top_k": 9}')
    assert (userbot().sampling.temperature, userbot().sampling.top_k) == (0.2, 9)


def test_a_process_elsewhere_gets_what_the_file_says_as_variables(write, tmp_path):
    write(
        '[userbot]\nlive = true\nowner_pause = 30\nsession = "s"\nsampling = {top_k = 3}\n[contacts.1]\nlive = true\n'
    )
    assert userbot().variables_for_child() == {
        "USERBOT_LIVE": "true",
        "USERBOT_OWNER_PAUSE": "30",
        "USERBOT_SESSION": "s",
        "USERBOT_SAMPLING": '{"top_k": 3}',
        "TIMOKHA_CONTACTS": '{"1": {"live": true}}',
    }


def test_what_is_different_for_a_person_is_in_a_table_of_their_own(write):
    write(
        """
        [userbot]
        live = true
        [contacts."@Anna"]
        language = "en"
        prefix = "hey"
        persona = "her brother"
        [contacts.123456]
        live = false
        max_new_tokens = 300
        approve = true
        """
    )
    rules = rules_of(userbot())
    anna = rules.for_person(Person(id="7", usernames=frozenset({"anna"})))
    assert (anna.only_locale, anna.prefix, anna.persona, anna.live) == ("en", "hey", "her brother", True)
    number = rules.for_person(Person(id="123456"))
    assert (number.live, number.max_new_tokens, number.approve, number.prefix) == (False, 300, "all", rules.prefix)


def test_lists_of_people_and_times_are_arrays_or_have_commas(write):
    write(
        '[userbot]\nallow = ["@Anna", 123, "contacts"]\ndeny = "5, @b"\nquiet_hours = ["23:00-07:30", "12:00-13:00"]\n'
    )
    assert set(userbot().allow) == {"@anna", "123", "contacts"}
    assert set(userbot().deny) == {"5", "@b"}
    assert len(userbot().quiet_hours) == 2
    assert UserbotSettings.sources()["allow"] == (SettingSource.TOML, "@Anna,123,contacts")


def test_contacts_can_be_a_variable_as_well_and_then_the_files_do_not_count(write, monkeypatch):
    write("[contacts.1]\nlive = true\n")
    monkeypatch.setenv("TIMOKHA_CONTACTS", '{"@anna": {"live": true}}')
    assert list(userbot().contacts) == ["@anna"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[userbot]\nprefix = 5\n", "timokha.toml, userbot.prefix: got 5, it takes what a question starts with"),
        ("[userbot]\nprefix = ['a', 'b']\n", "userbot.prefix: got ['a', 'b'], it takes"),
        ("[userbot]\nowner_pause = true\n", "userbot.owner_pause: got true, it takes seconds"),
        ("[userbot]\nmax_answers_per_minute = true\n", "userbot.max_answers_per_minute: got true, it takes"),
        ("[userbot]\nlive = 5\n", "userbot.live: got 5, it takes true or false"),
        ("[userbot]\nlive = {a = 1}\n", "userbot.live: got {'a': 1}, it takes true or false"),
        ("[userbot]\nowner_pause = inf\n", "userbot.owner_pause: got inf, it takes"),
        (f"[userbot]\nowner_pause = {'9' * 400}\n", "userbot.owner_pause: got 999"),
        ("[userbot]\nowner_pause = 2026-01-01\n", "userbot.owner_pause: got "),
        (
            "[userbot.sampling]\ntempratur = 1\n",
            "sampling: there is no 'tempratur' (did you mean temperature?)",
        ),
        ("[userbot.sampling]\ntemperature = 9\n", "userbot.sampling: temperature is 9; input should be less"),
        ("log_level = 'loud'\n", "timokha.toml, log_level: got 'loud', it takes debug"),
        ("bot_token = 5\n", "timokha.toml, bot_token: got ***, it takes"),
        (
            "[contacts.anna]\nlive = true\n",
            "contacts: anna is 'anna'; value error, it takes an id, or a username",
        ),
        ("[contacts.'@a']\nlive = 1\n", "contacts: @a.live is 1; input should be a valid boolean"),
        ("[contacts.'@a']\nlanguage = 'de'\n", "contacts: @a.language is 'de'; input should be 'en' or 'ru'"),
        ("[contacts.'@a']\nmax_new_tokens = 0\n", "contacts: @a.max_new_tokens is 0; input should be greater"),
        ("[contacts.'@a']\nprefix = ' '\n", "contacts: @a.prefix is ' '; "),
        ("[contacts.'@a']\nlanguag = 'ru'\n", "contacts: in @a there is no 'languag' (did you mean language?)"),
        ("[userbot]\nallow = ['anna']\n", "timokha.toml, userbot.allow: "),
        ("[userbot]\nquiet_hours = ['soon']\n", "timokha.toml, userbot.quiet_hours: "),
        ("[userbot]\nallow = {a = 1}\n", "timokha.toml, userbot.allow: "),
        ("contacts = 5\n", "timokha.toml, contacts: got 5, it takes what is different for one person"),
    ],
)
def test_a_value_that_is_none_is_told_with_the_file_and_its_key(write, text, said):
    write(text)
    assert said in refused()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a = 1\nb =\n", "timokha.toml, line 2: Invalid value"),
        ("a = 1\na = 2\n", "timokha.toml, line 2: Cannot overwrite a value"),
        ('[userbot]\nprefix = "x', "timokha.toml"),
        (b"a = '\xff'\n", "timokha.toml is not UTF-8 (byte 5); save it in that encoding"),
        ("a = " + "[" * 100_000, "timokha.toml has tables or arrays nested too deep"),
        ("[userbot]\nprefix" + ".a" * 5_000 + " = 1\n", "timokha.toml has tables or arrays nested too deep"),
        ('[userbot]\nsession = "a\\u0000b"\n', "timokha.toml has a NUL character"),
        (f"a = {'9' * 5000}\n", "timokha.toml is no TOML"),
        (b"\0", "timokha.toml"),
    ],
)
def test_a_file_that_cant_be_read_is_one_line_and_where_possible_its_number(write, content, said):
    write(content)
    assert refused().startswith(said)


def test_a_byte_order_mark_is_no_character_of_the_first_key(write):
    write("\ufefflog_level = 'debug'\n")
    assert Settings.read().log_level == "debug"


def test_a_folder_in_its_place_is_one_line(write, tmp_path):
    (tmp_path / "timokha.toml").mkdir()
    assert refused().startswith("timokha.toml can't be read (Is a directory)")


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_file_can_be_elsewhere_and_need_not_be_there(write, tmp_path, monkeypatch, place):
    write("[userbot]\nprefix = 'here'\n")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if place == "environment":
        monkeypatch.setenv("TIMOKHA_CONFIG", str(folder / "t.toml"))
    else:
        (tmp_path / ".env").write_text(f"TIMOKHA_CONFIG={folder}/t.toml\n")
    assert userbot().prefix == "Тимоха,"
    (folder / "t.toml").write_text("[userbot]\nprefix = 'there'\n")
    assert userbot().prefix == "there"
    (folder / "t.toml").write_text("[userbot]\nprefix = 5\n")
    assert refused().startswith("elsewhere/t.toml, userbot.prefix: got 5")


@pytest.mark.parametrize(("named", "said"), [("t.toml", "it takes an absolute path"), ("/no/t.toml", "no folder /no;")])
def test_a_place_that_cant_be_meant_is_refused(write, monkeypatch, named, said):
    monkeypatch.setenv("TIMOKHA_CONFIG", named)
    assert said in refused()


def test_a_bad_value_that_a_better_place_replaces_is_no_fault(write):
    write("[userbot]\nprefix = 5\n")
    assert userbot(prefix="x").prefix == "x"


def test_what_a_command_is_asked_about_is_no_setting(write):
    write("deadletter = '1.2.3.0'\n")
    assert refused(DeadLetterSettings.read).startswith("DEADLETTER is missing")


def test_the_example_in_the_documentation_is_right(write):
    page = (Path(__file__).parents[2] / "docs/settings.md").read_text()
    write(page.partition("```toml\n")[2].partition("```")[0])
    assert not check_names().errors
    assert list(userbot().contacts) == ["@anna", "123456"]


def test_every_setting_has_a_place_of_its_own():
    variables = [field.variable for section in sections() for field in section.fields]
    assert len({Place.of(variable) for variable in variables}) == len(variables)
    # A prefix that is no table would make its settings stand at the top.
    prefixes = {str(command.settings.model_config.get("env_prefix", "")) for command in COMMANDS.values()}
    assert {prefix.rstrip("_").lower() for prefix in prefixes if prefix} <= set(TABLES)
