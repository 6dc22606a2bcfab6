"""`timokha business --check` with a person in the sandbox who does what it asks."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from edge.business.check.assumptions import Assumption, Task
from edge.business.settings import BusinessSettings
from edge.business.telegram.check import AssumptionsFailed, check
from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account

ABOUT = {assumption.key: assumption for assumption in Assumption}


class Person:
    """Anna, who connects the robot, and Boris, her second account. `idle` are the tasks that she does not do."""

    def __init__(self, telegram: Sandbox, anna: Account, boris: Account, robot: Account) -> None:
        self.telegram, self.anna, self.boris, self.robot = telegram, anna.id, boris.id, robot
        self.dc_id = 2
        self.idle: set[Task] = set()
        self.lines: list[str] = []
        self.before: Callable[[Task], None] = lambda _task: None

    def do(self, task: Task) -> None:
        self.before(task)
        telegram, anna, boris, robot = self.telegram, self.anna, self.boris, self.robot.id
        word = self.lines[0].rpartition("word ")[2].partition(";")[0]
        acts: dict[Task, Callable[[], object]] = {
            Task.CONNECT: lambda: telegram.connect_business(anna, robot, dc_id=self.dc_id),
            Task.WRITE: lambda: telegram.send(anna, boris, f"{word} 1"),
            Task.ANSWER: lambda: telegram.send(boris, anna, f"{word} 2"),
            Task.START: lambda: telegram.send(anna, robot, "/start"),
            Task.PRESS: lambda: telegram.press(anna, robot, telegram.messages(anna, robot)[-1].id, b"timokha-check"),
            Task.TAKE_RIGHT: lambda: telegram.connect_business(anna, robot, can_reply=False, dc_id=self.dc_id),
            Task.EXCLUDE: lambda: telegram.connect_business(anna, robot, exclude=[boris], dc_id=self.dc_id),
            Task.DISCONNECT: lambda: telegram.disconnect_business(anna),
        }
        if task not in self.idle:
            acts[task]()

    def verdicts(self) -> dict[str, str]:
        """Return what was reported of each assumption."""
        parts = (line.split(": ", 2) for line in self.lines)
        return {part[1]: part[0] for part in parts if len(part) > 1 and part[1] in ABOUT}

    def of(self, assumption: Assumption) -> str:
        return next(line for line in self.lines if f": {assumption.key}: " in line)

    async def check(self) -> None:
        settings = BusinessSettings(
            API_ID=1,
            API_HASH="hash",
            BOT_TOKEN=self.robot.token,
            telegram_server=self.telegram.address,
            telegram_key=self.key,
        )
        quick = timedelta(seconds=0.4)
        patience = quick if self.idle else timedelta(seconds=10)
        try:
            await check(settings, self.lines.append, asked=self.do, patience=patience, settling=quick)
        finally:
            print(*self.lines, sep="\n")


@pytest.fixture
def person(telegram, anna, boris, robot, tmp_path) -> Person:
    found = Person(telegram, anna, boris, robot)
    found.key = tmp_path / "key.pem"
    found.key.write_text(telegram.public_key_pem)
    return found


async def test_everything_holds_in_the_sandbox_and_nothing_is_left_in_the_chat(person, tmp_path) -> None:
    person.dc_id = 4
    await person.check()
    assert person.verdicts() == dict.fromkeys(ABOUT, "held"), person.lines
    assert person.lines[-1] == f"{len(ABOUT)} of {len(ABOUT)} held, 0 did not, 0 skipped"
    texts = [message.text for message in person.telegram.messages(person.boris, person.anna)]
    assert [text[-2:] for text in texts] == [" 1", " 2"]
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


async def test_what_telegram_does_otherwise_is_told_with_the_page(person) -> None:
    person.telegram.faults.silent_chat = "BUSINESS_PEER_INVALID"
    person.telegram.faults.echo_business = False
    person.telegram.faults.refuse_repeats = True
    with pytest.raises(AssumptionsFailed):
        await person.check()
    verdicts = person.verdicts()
    assert {key for key, verdict in verdicts.items() if verdict != "held"} == {"silent_chat"}
    assert "updates: none" in person.of(Assumption.ECHO)
    told = person.of(Assumption.SILENT_CHAT)
    assert told.startswith("did not hold")
    assert "seen instead: BUSINESS_PEER_INVALID" in told
    assert Assumption.SILENT_CHAT.page in told
    assert "RANDOM_ID_DUPLICATE" in person.of(Assumption.REPEAT)


class Forgetful(dict):
    """What a server remembers that never recognises a repeat."""

    def get(self, *_: object) -> None:
        return None


async def test_a_repeat_that_is_sent_twice_is_told_and_both_messages_are_deleted(person) -> None:
    person.telegram.state.business.sent = Forgetful()
    with pytest.raises(AssumptionsFailed, match="not everything held"):
        await person.check()
    assert person.verdicts()["repeat"] == "did not hold"
    texts = [message.text for message in person.telegram.messages(person.boris, person.anna)]
    assert [text[-2:] for text in texts] == [" 1", " 2"]


async def test_what_the_person_does_not_do_is_skipped(person) -> None:
    person.idle = {Task.ANSWER, Task.PRESS, Task.TAKE_RIGHT, Task.DISCONNECT}
    with pytest.raises(AssumptionsFailed):
        await person.check()
    verdicts = person.verdicts()
    assert set(verdicts) == set(ABOUT)
    skipped = {key for key, verdict in verdicts.items() if verdict == "skipped"}
    assert {"to_person", "result_form", "button", "new_id", "disabled"} <= skipped
    assert "held" in verdicts.values()


async def test_a_bot_without_business_mode_is_told_to_turn_it_on(person) -> None:
    person.robot.business = False
    with pytest.raises(AssumptionsFailed):
        await person.check()
    assert "@BotFather" in person.of(Assumption.BUSINESS_MODE)
    assert not any(line.startswith("now: ") for line in person.lines)
