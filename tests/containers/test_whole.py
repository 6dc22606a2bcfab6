"""The product in containers from a fresh clone, as README says: signed in, asked, scaled, killed, misset, upgraded.

The tests go on from each other. They take half an hour on a small machine, most of it for images and the model.
"""

import re
import threading

import pytest

from tests.containers.product import Product, commit, until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]
MANY = 12


def running(product: Product, *services: str) -> dict[str, list[str]]:
    return {service: product.containers(service) for service in services}


def test_everything_is_built(product):
    product.write_settings(API_ID="1", API_HASH="sandbox")
    product.run("sh", "deploy/passwords.sh")
    product.compose("build", "--quiet")
    product.start_telegram()
    product.run("docker", "images", "--format", "{{.Repository}} {{.Size}}", "--filter", "reference=timokha-*")


def test_a_userbot_without_a_session_says_how_to_sign_in_and_goes_on_when_that_is_done(product):
    ended = product.compose("up", "-d", "--wait", "userbot", check=False)
    assert ended.returncode != 0
    assert "userbot-1 is unhealthy" in ended.stdout
    [waiting] = product.containers("userbot")
    health = product.compose("exec", "-T", "userbot", "timokha", "health", check=False)
    assert "sign in with `docker compose run --rm userbot`" in health.stdout
    product.sign_in("docker", "compose", "run", "--rm", "userbot")
    until(lambda: product.compose("exec", "-T", "userbot", "timokha", "health", check=False).returncode == 0)
    assert product.containers("userbot") == [waiting]
    assert product.run("docker", "inspect", "--format", "{{.RestartCount}}", waiting).stdout.strip() == "0"


def test_what_is_up_answers(product):
    product.compose("up", "-d", "--wait")
    product.works(MANY)
    for service in ("userbot", "generate", "bridge"):
        assert product.compose("exec", "-T", service, "timokha", "health").returncode == 0


def test_workers_are_as_many_as_dotenv_says_and_scale_wins_once(product):
    product.compose("up", "-d", "--scale", "generate=3")
    assert len(product.containers("generate")) == 3
    product.works(MANY)
    product.write_settings(GENERATE_REPLICAS="2")
    product.compose("up", "-d", "--wait")
    assert len(product.containers("generate")) == 2


@pytest.mark.parametrize("victim", ["generate", "userbot", "nats", "bridge", "everything"])
def test_whatever_is_killed_while_people_ask_costs_nobody_an_answer(product, victim):
    services = ["nats", "userbot", "generate", "bridge", "rabbitmq"] if victim == "everything" else [victim]
    ids = [id_ for service in services for id_ in product.containers(service)]
    asked = product.ask(MANY)
    product.run("docker", "kill", *(ids[:1] if victim == "generate" else ids))
    asked += product.ask(MANY)
    # The engine does not start again what a person has killed.
    product.compose("up", "-d")
    product.answered(asked)


def test_a_down_and_an_up_forget_nothing(product):
    product.works()
    product.compose("stop", "generate")
    asked = product.ask(MANY)
    product.compose("stop", "userbot")
    product.compose("rm", "--force", "--stop", "userbot", "generate", "bridge", "nats", "rabbitmq", "setup", "model")
    product.compose("up", "-d")
    product.answered(asked)


def test_without_nats_nothing_is_started_again_and_health_says_why(product):
    product.compose("up", "-d", "--wait")
    before = running(product, "userbot", "generate")
    product.compose("pause", "nats")
    try:
        until(lambda: product.compose("exec", "-T", "userbot", "timokha", "health", check=False).returncode == 1)
        assert "nats" in product.compose("exec", "-T", "userbot", "timokha", "health", check=False).stdout.lower()
        assert product.compose("exec", "-T", "userbot", "timokha", "health", "--live").returncode == 0
    finally:
        product.compose("unpause", "nats")
    product.works()
    assert running(product, "userbot", "generate") == before
    for id_ in (*before["userbot"], *before["generate"]):
        assert product.run("docker", "inspect", "--format", "{{.RestartCount}}", id_).stdout.strip() == "0"


def test_without_rabbitmq_everything_else_works(product):
    product.compose("stop", "rabbitmq", "bridge")
    product.works()
    product.compose("up", "-d", "--wait")


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"GENERATE_ENGINE": "opnevino"}, "GENERATE_ENGINE"), ({"GENERATE_MODEL": "/models/none"}, "/models/none")],
)
def test_a_wrong_setting_ends_up_with_its_line_and_what_runs_goes_on(product, settings, named):
    before = running(product, "userbot", "generate")
    kept = (product.directory / ".env").read_text()
    product.write_settings(**settings)
    try:
        ended = product.run("sh", "deploy/up.sh", check=False)
        assert ended.returncode not in {0, None}
        assert named in ended.stdout
        assert running(product, "userbot", "generate") == before
        product.works()
    finally:
        (product.directory / ".env").write_text(kept)


def test_a_wrong_setting_ends_a_plain_up_too(product):
    kept = (product.directory / ".env").read_text()
    product.write_settings(GENERATE_ENGINE="opnevino")
    try:
        ended = product.compose("up", "-d", check=False)
        assert ended.returncode != 0
        assert "model" in ended.stdout
        assert "GENERATE_ENGINE" in product.compose("logs", "model").stdout
    finally:
        (product.directory / ".env").write_text(kept)
    product.run("sh", "deploy/up.sh", "--wait")
    product.works()


def test_a_model_of_ones_own_answers_and_one_that_may_not_be_read_is_told_from_one_that_is_not_there(product):
    gguf_files = pytest.importorskip("tests.generate.gguf_files")
    model = product.directory / "models/tiny.gguf"
    gguf_files.write("llama", model)
    kept = (product.directory / ".env").read_text()
    product.write_settings(GENERATE_MODEL="/models/tiny.gguf")
    try:
        model.chmod(0o600)
        if model.stat().st_uid != 10001:
            ended = product.run("sh", "deploy/up.sh", check=False)
            assert ended.returncode == 2
            assert "may not be read" in ended.stdout
        model.chmod(0o644)
        product.run("sh", "deploy/up.sh", "--wait")
        product.works()
    finally:
        (product.directory / ".env").write_text(kept)
        product.run("sh", "deploy/up.sh", "--wait")


def test_the_doctor_finds_nothing_wrong(product):
    said = product.compose("run", "--rm", "-T", "tools", "doctor").stdout
    assert "userbot doctor" in said
    for service in ("userbot", "model", "bridge"):
        product.compose("run", "--rm", "--no-deps", "-T", service, "doctor")


def test_a_recording_is_left_on_the_host(product):
    product.works()
    product.compose("run", "--rm", "-T", "tools", "record", "all.jsonl")
    recording = product.directory / "recordings/all.jsonl"
    assert recording.stat().st_uid == product.directory.stat().st_uid
    assert recording.read_text().count("\n") > 2


def test_a_backup_that_is_put_back_answers_nothing_twice_and_loses_nothing(product, tmp_path):
    before = product.ask(3)
    product.answered(before)
    product.run("sh", "deploy/backup.sh", str(tmp_path / "backup"))
    later = product.ask(MANY)
    product.answered(later)
    product.compose("stop", "generate")
    asked = product.ask(3)
    until(lambda: all(told["thinking"] for told in product.telegram("told", numbers=asked)))
    product.compose("start", "generate")
    product.run("sh", "deploy/restore.sh", str(tmp_path / "backup"))
    product.answered(asked)
    product.works()
    product.answered(before)
    product.answered(later)


def test_nobody_notices_an_upgrade_nor_a_rollback(product):
    """From the commit before to this one, and back, while people ask."""
    old, new = commit("HEAD~1"), commit()
    asked: list[int] = []
    for name in (old, new, old, new):
        with asking(product, asked):
            product.check_out(name)
            product.run("sh", "deploy/up.sh", "--wait")
        product.answered(asked)


class asking:
    """Somebody asks all the time; who it was is added to `asked`."""

    def __init__(self, product: Product, asked: list[int]) -> None:
        self._product, self._asked = product, asked
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._enough.wait(3):
            self._asked += self._product.ask(1)


def test_a_newcomer_with_nothing_but_docker_asks_and_is_answered(newcomer):
    newcomer.run("sh", "deploy/passwords.sh")
    newcomer.compose("up", "--build", "--wait", "sandbox-userbot")
    before = running(newcomer, "sandbox", "sandbox-userbot", "generate", "nats")
    assert all(before.values())
    assert not newcomer.containers("userbot")
    for number, text in enumerate(("Тимоха, как дела?", "Тимоха, который час?"), 1):
        with newcomer.typing("sandbox", text):
            until(lambda number=number: len(bot_says(newcomer)) >= 2 * number)
    # Another sandbox is another Telegram: its userbot signs in to that one by itself.
    newcomer.compose("restart", "sandbox")
    with newcomer.typing("sandbox", "Тимоха, ещё раз"):
        until(lambda: len(bot_says(newcomer)) >= 6)


def bot_says(product: Product) -> list[str]:
    """Two lines a question: the one while it thinks, and its answer."""
    return re.findall("bot> .+", product.compose("logs", "--no-log-prefix", "sandbox").stdout)
