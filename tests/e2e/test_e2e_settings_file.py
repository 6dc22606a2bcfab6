"""`timokha.toml` and a running userbot: its rules change without a restart."""

import asyncio
import os
import sys
from pathlib import Path

from edge.sandbox.state import Account
from edge.userbot import phrases
from tests.e2e.conftest import Product

ROOT = Path(__file__).parents[2]


def replace(file: Path, text: str) -> None:
    """As an editor does."""
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)


async def asks(product: Product, visitor: Account, text: str, answer: str) -> None:
    product.says(visitor, text)
    await product.until(lambda: answer in product.answers(visitor))
    await product.free(visitor, len(product.answers(visitor)))


async def test_a_rule_changes_without_a_restart_and_a_bad_file_changes_none(make_product, tmp_path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    product = await make_product(TIMOKHA_CONFIG=str(folder / "timokha.toml"))
    anna, boris = product.visitor(), product.visitor()
    pid = product.processes["userbot"].pid
    await asks(product, anna, "Тимоха, раз", "раз")

    replace(folder / "timokha.toml", f'[userbot]\nprefix = "эй"\n[contacts.{boris.id}]\nprefix = "бот"\n')
    await product.logged("rules.changed")
    product.says(anna, "Тимоха, два")
    await asks(product, anna, "эй три", "три")
    product.says(boris, "эй четыре")
    await asks(product, boris, "бот пять", "пять")

    replace(folder / "timokha.toml", '[userbot]\nprefix = "нет\n')
    await product.logged("rules.not_changed")
    assert "timokha.toml, line 2: " in product.log("userbot")
    await asks(product, anna, "эй шесть", "шесть")

    replace(folder / "timokha.toml", '[userbot]\nprefix = "эй"\n[contacts.' + str(anna.id) + ']\nlanguage = "en"\n')
    await product.logged("rules.changed", times=2)
    product.says(anna, "эй")
    await product.until(lambda: phrases.hint("en", "эй") in product.answers(anna))

    (folder / "timokha.toml").unlink()
    await product.logged("rules.changed", times=3)
    await asks(product, boris, "Тимоха, семь", "семь")
    assert product.answers(anna) == ["раз", "три", "шесть", phrases.hint("en", "эй")]
    assert product.answers(boris) == ["пять", "семь"]
    assert product.processes["userbot"].pid == pid
    first = next(line for line in product.log("userbot").splitlines() if "rules.changed" in line)
    assert "TIMOKHA_CONTACTS, USERBOT_PREFIX" in first


async def test_the_owners_own_language_is_spoken_and_its_lines_count_as_ours(make_product, tmp_path) -> None:
    (tmp_path / "config/texts").mkdir(parents=True)
    (tmp_path / "config/texts/uk.ftl").write_text("thinking-1 = Хвилинку…\nhint = Спитайте: «{ $prefix } …»\n")
    file = tmp_path / "config/timokha.toml"
    file.write_text('[userbot]\nlanguage = "uk"\n[texts.uk]\nrefused-person = "Ні."\n')
    product = await make_product(TIMOKHA_CONFIG=str(file))
    anna = product.visitor()
    product.says(anna, "Тимоха,")
    await product.until(lambda: "Спитайте: «Тимоха, …»" in product.answers(anna))
    for number, text in enumerate(("раз", "два"), start=1):
        product.says(anna, f"Тимоха, {text}")
        await product.until(lambda text=text: text in product.answers(anna))
        await product.free(anna, number)
    assert [message.text for message in product.written(anna)].count("Хвилинку…") == 2
    assert "texts.incomplete" in product.log("userbot")

    replace(file, '[userbot]\nlanguage = "uk"\n[texts.uk]\nrefused-person = "Ні!"\n')
    await product.logged("settings.need_restart")
    (line,) = [line for line in product.log("userbot").splitlines() if "settings.need_restart" in line]
    assert "TIMOKHA_TEXTS" in line


async def test_a_bad_line_ends_the_start_with_its_place(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "timokha.toml").write_text('[texts.en]\nhint = "no variable"\n')
    environment = {**os.environ, "API_ID": "1", "API_HASH": "x"}
    command = [sys.executable, "-m", "cli", "userbot"]
    environment["PYTHONPATH"] = str(ROOT)
    ended = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    _, said = await ended.communicate()
    assert ended.returncode == 2
    assert said.decode().splitlines()[-1] == "timokha: timokha.toml, texts.en.hint: it lacks { $prefix }"
