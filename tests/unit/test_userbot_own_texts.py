"""What an owner says differently: catalogues in `texts/` beside `timokha.toml`, and lines in it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli.config.checks import check
from cli.config.reading import check_names
from edge.userbot import phrases
from edge.userbot.current_rules import CurrentRules
from edge.userbot.settings import UserbotSettings
from edge.userbot.texts.installed import installed, say
from edge.userbot.texts.own import own_texts, own_texts_installed
from edge.userbot.texts.texts import Texts
from events.errors import SettingsError
from events.toml_file import TABLES

UKRAINIAN = """\
thinking-1 = Думаю, зачекайте…
thinking-2 = Хвилинку…
hint = Напишіть питання після звертання: «{ $prefix } як справи?»
queue-questions = { $count ->
    [one] У роботі { $count } питання
    [few] У роботі { $count } питання
   *[many] У роботі { $count } питань
}
"""


@pytest.fixture
def write(tmp_path, monkeypatch) -> Callable[[str, str], None]:
    """Write a file into the working directory, in which no setting of ours is in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.partition("_")[0].lower() in TABLES]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("API_ID", "1")
    monkeypatch.setenv("API_HASH", "x")
    (tmp_path / "texts").mkdir()
    return lambda name, text: (tmp_path / name).write_text(text, encoding="utf-8")


def settings() -> UserbotSettings:
    return UserbotSettings.read()


def texts() -> Texts:
    return own_texts(settings())


def refused() -> str:
    with pytest.raises(SettingsError) as error:
        texts()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_line_of_the_settings_is_said_in_place_of_the_shipped_one_and_the_others_stay(write) -> None:
    write("timokha.toml", '[texts.en]\nhint = "Ask me: {$prefix} why?"\n')
    assert not check_names().errors
    with installed(texts()):
        assert phrases.hint("en", "bot,") == "Ask me: bot, why?"
        assert phrases.deleted("en", cancelled=False).startswith("Done: ")
        assert phrases.hint("ru", "бот,").startswith("Напишите")
    assert phrases.hint("en", "bot,").startswith("Write")


def test_the_environment_has_the_same_as_json(write, monkeypatch) -> None:
    monkeypatch.setenv("TIMOKHA_TEXTS", json.dumps({"en": {"deleted": "Gone.", "thinking": ["Hm…", "Oh…"]}}))
    with installed(texts()):
        assert phrases.deleted("en", cancelled=False) == "Gone."
        assert {phrases.thinking("en", str(number)) for number in range(100)} == {"Hm…", "Oh…"}


def test_several_thinking_lines_or_one_replace_all_of_the_language(write) -> None:
    write("timokha.toml", '[texts.ru]\nthinking = ["М-м…", "Так…"]\n[texts.en]\nthinking = "Hm…"\n')
    with installed(texts()):
        assert {phrases.thinking("ru", str(number)) for number in range(100)} == {"М-м…", "Так…"}
        assert phrases.thinking("en", "1") == "Hm…"
        assert {"М-м…", "Так…", "Hm…"} <= phrases.thinking_lines()


def test_what_was_sent_before_the_owner_replaced_it_is_still_recognised(write) -> None:
    write("timokha.toml", '[texts.ru]\nthinking = "М-м…"\nunreadable = "Ой."\n')
    before = phrases.thinking_lines(), phrases.unreadable_lines()
    with installed(texts()):
        assert before[0] < phrases.thinking_lines()
        assert before[1] < phrases.unreadable_lines()
        assert "Ой." in phrases.unreadable_lines()


def test_a_line_may_have_several_lines_and_plural_forms(write) -> None:
    text = (
        "Занято: { $count ->\n    [one] { $count } раз\n    [few] { $count } раза\n   *[many] { $count } раз\n}\nПока."
    )
    write("timokha.toml", f"[texts.ru]\nqueue-questions = '''\n{text}'''\n")
    with installed(texts()):
        assert say("ru", "queue-questions", count=22) == "Занято: 22 раза\nПока."


def test_a_file_adds_a_language_that_settings_and_contacts_take(write) -> None:
    write("texts/uk.ftl", UKRAINIAN)
    write("timokha.toml", '[userbot]\nlanguage = "uk"\n[contacts."@anna"]\nlanguage = "uk"\n')
    assert settings().contacts["@anna"].language == "uk"
    with installed(texts()):
        assert phrases.language("uk-UA") == "uk"
        assert phrases.hint("uk", "бот,") == "Напишіть питання після звертання: «бот, як справи?»"
        assert say("uk", "queue-questions", count=5) == "У роботі 5 питань"


@pytest.mark.parametrize(("language", "said"), [("ru", "Готово: "), ("en", "Done: "), ("uk", "Done: ")])
def test_what_a_language_lacks_is_said_in_the_owners_else_in_english(write, language: str, said: str) -> None:
    write("texts/uk.ftl", UKRAINIAN)
    write("timokha.toml", f'[userbot]\nlanguage = "{language}"\n')
    with installed(texts()):
        assert phrases.deleted("uk", cancelled=False).startswith(said)
        assert phrases.language("de") == language


def test_an_incomplete_catalogue_is_named_once_in_the_log(write) -> None:
    write("texts/uk.ftl", UKRAINIAN)
    with capture_logs() as logs, own_texts_installed(settings()):
        phrases.deleted("uk", cancelled=False)
    (line,) = logs
    assert (line["event"], line["language"]) == ("texts.incomplete", "uk")
    lacking = texts().incomplete()["uk"]
    assert line["count"] == len(lacking)
    assert "deleted" in lacking
    assert not {"hint", "thinking", "queue-questions"} & {*lacking}


def test_a_file_in_a_shipped_language_replaces_lines_of_it(write) -> None:
    write("texts/ru.ftl", "-name = Боря\ndeleted = Стёрто. Ваш { -name }\nthinking-1 = Э-э…\n")
    write("timokha.toml", '[texts.ru]\nhint = "{ -name } ждёт: {$prefix} вопрос"\n')
    with installed(texts()):
        assert phrases.deleted("ru", cancelled=False) == "Стёрто. Ваш Боря"
        assert phrases.hint("ru", "бот,") == "Боря ждёт: бот, вопрос"
        assert phrases.thinking("ru", "1") == "Э-э…"


def test_a_region_may_have_a_catalogue_of_its_own(write) -> None:
    write("texts/en-gb.ftl", "deleted = Gone, sorry.\n")
    with installed(texts()):
        assert phrases.deleted("en_GB", cancelled=False) == "Gone, sorry."
        assert phrases.deleted("en-US", cancelled=False).startswith("Done")


BAD = [
    ("hnt = 'x'", "hnt: there is no such line (did you mean hint?)"),
    ("hint = 'Ask'", "hint: it lacks { $prefix }"),
    ("deleted = 'Gone, {$prefix}'", "deleted: there is no variable { $prefix }; it has none"),
    ("hint = '{$prefix} {$who}'", "hint: there is no variable { $who }; it has { $prefix }"),
    ("hint = 'Ask: {$prefix'", 'hint: Expected token: "}"'),
    ("deleted = ''", "deleted: Expected message"),
    ("deleted = '{ \"\" }'", "deleted: it is empty"),
    ("deleted = 'Gone{ \" \" }'", "deleted: it is empty, or begins or ends with what can't be seen"),
    ("deleted = '/help me'", "deleted: it starts with /, like a command"),
    ("deleted = '+ done'", "deleted: it starts with +"),
    ("deleted = 'Bot, is gone'", "deleted: it starts with a command or the prefix"),
    ("deleted = 'Hey you'", "deleted: it starts with a command or the prefix"),
    ("hint = '{$prefix} how are you?'", "hint: it starts with /"),
    ("draft-sent = '{$asker} has it.'", "draft-sent: it starts with /"),
    (f"deleted = '{'x' * 2001}'", "deleted: it has up to 2001 characters; at most 2000 fit"),
    (f"deleted = '{'😀' * 1001}'", "deleted: it has up to 2002 characters; at most 2000 fit"),
    (f"draft-how = '{'x' * 300}'", "draft-how: it has up to 300 characters; at most 280 fit"),
    ("deleted = 'a\u2028b'", "deleted: it has control characters"),
    ("deleted = '{ hint }'", "deleted: it refers to the line hint; it may refer to terms"),
    ("deleted = '{ -no-term }'", "deleted: Unknown term: -no-term"),
    ("order-full = 'Full: { NUMBR($most) }'", "order-full: Unknown function: NUMBR"),
    ("deleted = ['a', 'b']", "deleted: it takes one text; only thinking takes several"),
    ("thinking-1 = 'Hm'", "thinking-1: write thinking, one text or an array of them"),
    ("thinking = ['Hm', '/help']", "thinking-2: it starts with /"),
    ('"deleted = x\\nhint" = "x"', "'deleted = x\\nhint': there is no such line"),
]


@pytest.mark.parametrize(("line", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_line_is_told_with_the_file_the_language_and_its_id(write, line: str, said: str) -> None:
    write("timokha.toml", f"[contacts.5]\nprefix = 'hey'\n[userbot]\nprefix = 'bot,'\n[texts.en]\n{line}\n")
    assert f"timokha.toml, texts.en.{said}" in refused()
    assert refused() in check(["userbot"]).bad


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[texts]\nen = 5\n", "timokha.toml, texts: en is 5; "),
        ("[texts.en]\nhint = 5\n", "timokha.toml, texts: en.hint is 5; "),
        ("[texts.en]\nthinking = []\n", "timokha.toml, texts: "),
        ("[texts.de]\nhint = '{$prefix}'\n", "timokha.toml, texts: there are no texts in 'de'; another language"),
    ],
)
def test_what_is_no_table_of_texts_is_told(write, text: str, said: str) -> None:
    write("timokha.toml", text)
    assert said in refused()


def test_a_bad_line_of_the_environment_is_told_with_the_variable(write, monkeypatch) -> None:
    monkeypatch.setenv("TIMOKHA_TEXTS", '{"en": {"hint": "x"}}')
    assert refused() == "TIMOKHA_TEXTS.en.hint: it lacks { $prefix }"


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("uk.ftl", "hint = x\n", "texts/uk.ftl, hint: it lacks { $prefix }"),
        ("uk.ftl", "\n\nhint = {\n", "texts/uk.ftl, hint: "),
        ("uk.ftl", "hint\n", 'texts/uk.ftl, hint: Expected token: "=" (line 1)'),
        ("uk.ftl", "hnt = x\n", "texts/uk.ftl, hnt: there is no such line (did you mean hint?)"),
        ("uk.ftl", "deleted = a\ndeleted = b\n", "texts/uk.ftl, deleted: it is there twice"),
        ("uk.ftl", "deleted = a\n    .title = b\n", "texts/uk.ftl, deleted: it takes a text, and no attributes"),
        ("UK.ftl", "", "texts/UK.ftl: name it after its language"),
        ("xx.ftl", "", "texts/xx.ftl: there is no language xx"),
    ],
)
def test_a_bad_catalogue_is_told_with_the_file_and_the_id(write, name: str, source: str, said: str) -> None:
    write(f"texts/{name}", source)
    assert said in refused()


def test_a_file_that_cant_be_read_is_told(write, tmp_path: Path) -> None:
    (tmp_path / "texts/uk.ftl").write_bytes(b"deleted = \xff\n")
    assert "texts/uk.ftl is not UTF-8 (byte 10)" in refused()
    (tmp_path / "texts/uk.ftl").unlink()
    (tmp_path / "texts/uk.ftl").mkdir()
    assert "texts/uk.ftl can't be read" in refused()


def test_other_files_in_the_folder_are_no_catalogues(write) -> None:
    write("texts/README.md", "# mine")
    assert texts().incomplete() == {}


@pytest.mark.parametrize("language", ["de", "EN", "", "../en"])
def test_an_unknown_language_is_refused_as_before(write, language: str) -> None:
    write("timokha.toml", f'[userbot]\nlanguage = "{language}"\n' if language else "[userbot]\nlanguage = 5\n")
    assert "userbot.language: got " in refused()
    assert "it takes ru, en or another language" in refused()


def test_changed_texts_need_a_restart(write) -> None:
    before = settings()
    write("timokha.toml", '[texts.en]\ndeleted = "Gone."\n')
    rules = CurrentRules(before, settings)
    with capture_logs() as logs:
        rules.look()
        rules.look()
    (line,) = [line for line in logs if line["event"] == "settings.need_restart"]
    assert line["settings"] == "TIMOKHA_TEXTS"
