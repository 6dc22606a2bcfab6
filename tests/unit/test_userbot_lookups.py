"""What the intake looks up for the owner's rules: the policy, who wrote first, a place in the day of all chats."""

import pytest
from structlog.testing import capture_logs

from edge.userbot.chat import admission
from edge.userbot.chat.admission import day_of
from edge.userbot.chat.incoming import Incoming
from edge.userbot.chat.policy import FOR_EVER, Policy, answers_of, deny
from edge.userbot.chat.transitions import Decision, Effect
from edge.userbot.driving.messenger import MessengerError, Undeliverable
from edge.userbot.intake import lookups
from edge.userbot.people import People, Person
from edge.userbot.quiet_hours import QuietHours
from edge.userbot.rules import Rules
from edge.userbot.storage.compare_and_set import ATTEMPTS
from events.errors import Conflict, TransportError

ALICE = Person(id="2", name="Alice")
ANYONE_FIRST = People.of(["wrote_first"])
RULE_EFFECTS = {Effect.REFUSED_PERSON, Effect.PAUSED, Effect.QUIET_HOURS}


async def says(edge, text: str = "Тимоха, раз", message_id: int = 1, *, chat: str = "2") -> Effect:
    now = edge.ports.retrying.clock.now()
    return await edge.intake.receive(Incoming("1", chat, message_id, text, "ru", now, sender=ALICE))


async def counted(edge) -> int:
    """How many answers the day of all chats has had."""
    return answers_of(await edge.ports.chats.policy.load(), day_of(Rules(), edge.ports.retrying.clock.now()))


@pytest.fixture
def looks(places, monkeypatch) -> list[str]:
    """The chats that were looked into for who wrote first."""
    chats: list[str] = []
    look = places.telegram.wrote_first

    async def wrote_first(chat: str) -> bool | None:
        chats.append(chat)
        return await look(chat)

    monkeypatch.setattr(places.telegram, "wrote_first", wrote_first)
    return chats


async def test_who_wrote_first_is_looked_up_once_and_only_if_a_list_asks_for_it(places, looks) -> None:
    places.telegram.first = True
    assert await says(places.edge(allow=People.of(["2"]))) == Effect.ASKED
    assert looks == []
    edge = places.edge(allow=ANYONE_FIRST)
    assert await says(edge, "/help", 2) == Effect.HELPED
    assert await says(places.edge(allow=ANYONE_FIRST), "/set_context_length 5", 3) == Effect.SET
    assert await says(edge, "просто разговор", 4) == Effect.SILENT
    assert looks == ["2"]


async def test_a_list_that_a_command_has_made_asks_for_it_too(places, looks) -> None:
    places.telegram.first = True
    edge = places.edge()
    await edge.ports.chats.policy.change(lambda policy: deny(policy, "wrote_first"))
    assert await says(edge) == Effect.REFUSED_PERSON
    assert looks == ["2"]


@pytest.mark.parametrize("error", [MessengerError("away"), Undeliverable("CHAT_FORBIDDEN"), None])
@pytest.mark.parametrize("lists", [{"allow": ANYONE_FIRST}, {"deny": ANYONE_FIRST}], ids=["allow", "deny"])
async def test_while_that_cant_be_found_out_nobody_is_answered_on_a_guess(places, monkeypatch, error, lists) -> None:
    async def wrote_first(chat: str) -> bool | None:
        if error:
            raise error
        return None

    monkeypatch.setattr(places.telegram, "wrote_first", wrote_first)
    edge = places.edge(**lists)
    assert await says(edge) == Effect.REFUSED_PERSON
    assert (await edge.ports.chats.load("2")).wrote_first is None


async def test_after_a_look_that_failed_the_next_messages_do_not_wait_for_another(places, monkeypatch) -> None:
    asked: list[str] = []

    async def wrote_first(chat: str) -> bool | None:
        asked.append(chat)
        raise MessengerError("away")

    monkeypatch.setattr(places.telegram, "wrote_first", wrote_first)
    edge = places.edge(allow=ANYONE_FIRST)
    assert [await says(edge, "/help", number) for number in (1, 2, 3)] == [Effect.REFUSED_PERSON] * 3
    assert asked == ["2"]


async def test_in_a_group_nobody_wrote_first(places, looks) -> None:
    edge = places.edge(allow=ANYONE_FIRST, answer_groups=True)
    assert await says(edge, chat="-2") == Effect.REFUSED_PERSON
    assert looks == []


async def test_the_day_of_all_chats_ends_for_everyone_but_for_commands(places) -> None:
    edge = places.edge(max_answers_per_day_for_all=2)
    assert await says(edge, "Тимоха,", 1) == Effect.HINTED
    assert await says(edge, "Тимоха, раз", 2) == Effect.ASKED
    assert await says(edge, "Тимоха, раз", 1, chat="3") == Effect.DAY_LIMIT_FOR_ALL
    assert await says(edge, "/help", 3) == Effect.HELPED
    assert await counted(edge) == 2


async def test_what_is_not_answered_takes_no_place_in_the_day_of_all(places) -> None:
    edge = places.edge(max_answers_per_day_for_all=9, deny=People.of(["3"]))
    assert await says(edge, "Тимоха, раз", 1) == Effect.ASKED
    assert await says(edge, "Тимоха, раз", 1) == Effect.DUPLICATE
    assert await says(edge, "Тимоха, ещё", 2) == Effect.IGNORED_BUSY
    assert await says(edge, "Тимоха, раз", 1, chat="3") == Effect.REFUSED_PERSON
    assert await counted(edge) == 1


async def test_what_was_to_be_ignored_takes_its_place_in_that_day_if_the_chat_is_free_by_then(
    places, monkeypatch
) -> None:
    """Between the look at the record and its change the question before it is over."""
    edge = places.edge(max_answers_per_day_for_all=2)
    assert await says(edge, "Тимоха, раз", 1) == Effect.ASKED
    load = edge.ports.chats.load

    async def then_over(chat: str):
        record = await load(chat)
        await edge.ports.chats.change(chat, lambda now: Decision(now.having(current=None), Effect.SILENT))
        return record

    monkeypatch.setattr(edge.ports.chats, "load", then_over)
    assert await says(edge, "Тимоха, два", 2) == Effect.ASKED
    monkeypatch.setattr(edge.ports.chats, "load", load)
    assert await counted(edge) == 2
    assert await says(edge, "Тимоха, раз", 1, chat="3") == Effect.DAY_LIMIT_FOR_ALL


async def test_a_record_that_is_another_one_at_every_look_is_looked_at_again_after_a_pause(places, monkeypatch) -> None:
    """Whenever it is looked at, the question before is in work, and whenever it is changed that is over."""
    edge = places.edge(max_answers_per_day_for_all=2)
    assert await says(edge, "Тимоха, раз", 1) == Effect.ASKED
    busy, looks = await edge.ports.chats.load("2"), []
    await edge.ports.chats.change("2", lambda now: Decision(now.having(current=None), Effect.SILENT))

    async def as_it_was(_, chat: str):
        looks.append(chat)
        return busy if len(looks) <= ATTEMPTS else await edge.ports.chats.load(chat)

    monkeypatch.setattr(lookups.Lookups, "record", as_it_was)
    with capture_logs() as logs:
        assert await says(edge, "Тимоха, два", 2) == Effect.ASKED
    (paused,) = (line for line in logs if line["event"] == "message.again")
    assert f"{ATTEMPTS} times in a row" in paused["error"]
    assert (len(looks), await counted(edge)) == (ATTEMPTS + 1, 2)


async def test_a_place_is_looked_for_once_more_if_the_day_ends_meanwhile(places, monkeypatch) -> None:
    """Midnight is between the look at the record and its change, and the day that begins has places."""
    edge = places.edge(max_answers_per_day_for_all=1)
    change, changes, days = edge.ports.chats.change, [], ["2026-11-28", "2026-11-29"]
    full = Policy(day=days[0], answers=1)
    await edge.ports.chats.policy.change(lambda policy: full)
    monkeypatch.setattr(admission, "day_of", lambda rules, now: days[bool(changes)])
    monkeypatch.setattr(lookups, "day_of", lambda rules, now: days[bool(changes)])

    async def after_midnight(chat: str, transition):
        changes.append(chat)
        return await change(chat, transition)

    monkeypatch.setattr(edge.ports.chats, "change", after_midnight)
    assert await says(edge, "Тимоха, раз", 1) == Effect.ASKED
    assert len(changes) == 2
    assert answers_of(await edge.ports.chats.policy.load(), days[1]) == 1


async def test_without_that_limit_no_policy_is_ever_written(places) -> None:
    assert await says(places.edge(max_answers_per_day=5)) == Effect.ASKED
    assert await places.records.load("1.policy") is None


async def test_a_place_taken_before_a_crash_serves_the_same_question_after_it(places, monkeypatch) -> None:
    save = places.records.save

    async def dies(key: str, value: bytes, version: int | None) -> int:
        if key == "1.2":
            raise KeyboardInterrupt  # as good as kill -9: nothing handles it
        return await save(key, value, version)

    edge = places.edge(max_answers_per_day_for_all=1)
    monkeypatch.setattr(places.records, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        await says(edge)
    monkeypatch.setattr(places.records, "save", save)
    edge = places.edge(max_answers_per_day_for_all=1)
    assert await counted(edge) == 1
    assert await says(edge) == Effect.ASKED
    assert await says(edge, message_id=1, chat="3") == Effect.DAY_LIMIT_FOR_ALL
    assert await counted(edge) == 1


@pytest.mark.parametrize(
    ("method", "error"),
    [("load", TransportError("away")), ("save", TransportError("away")), ("save", Conflict("again"))],
)
async def test_a_question_waits_for_the_policy_while_the_store_is_away(places, monkeypatch, method, error) -> None:
    really, failures = getattr(places.records, method), [error, error]

    async def sometimes(key: str, *given):
        if key == "1.policy" and failures:
            raise failures.pop()
        return await really(key, *given)

    monkeypatch.setattr(places.records, method, sometimes)
    edge = places.edge(max_answers_per_day_for_all=1)
    assert await says(edge) == Effect.ASKED
    assert not failures
    assert await counted(edge) == 1


async def test_a_policy_that_cant_be_read_pauses_every_chat(places) -> None:
    await places.records.save("1.policy", b"{nonsense", None)
    edge = places.edge(max_answers_per_day_for_all=1)
    with capture_logs() as logs:
        assert await says(edge) == Effect.PAUSED
        assert await says(edge, message_id=1, chat="3") == Effect.PAUSED
    assert await says(edge, "/help", 2) == Effect.HELPED
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["policy.unreadable"]


@pytest.mark.parametrize(
    "rules",
    [
        {"deny": People.of(["2"])},
        {"policy": Policy(paused_until=FOR_EVER)},
        {"quiet_hours": (QuietHours.parse("00:00-24:00"),)},
    ],
    ids=["denied", "paused", "quiet hours"],
)
async def test_a_chat_that_cant_be_read_gets_no_line_about_it_if_a_rule_forbids_that(places, rules) -> None:
    await places.records.save("1.2", b"{nonsense", None)
    edge = places.edge(**{key: value for key, value in rules.items() if key != "policy"})
    if "policy" in rules:
        await edge.ports.chats.policy.change(lambda policy: rules["policy"])
    assert await says(edge) in RULE_EFFECTS
    assert places.telegram.texts == []


async def test_a_chat_that_cant_be_read_is_forgotten_silently_for_somebody_denied(places) -> None:
    await places.records.save("1.2", b"{nonsense", None)
    edge = places.edge(deny=People.of(["2"]))
    assert await says(edge, "/delete_history", 5) == Effect.DELETED_SILENTLY
    await edge.idle()
    assert (await edge.ports.chats.load("2")).deleted_to == 5
    assert places.telegram.texts == []


async def test_a_rule_is_logged_once_for_a_chat_however_much_is_written_there(places) -> None:
    edge = places.edge(deny=People.of(["2"]))
    with capture_logs() as logs:
        for number in range(1, 6):
            await says(edge, message_id=number)
    lines = [line for line in logs if line["event"] == "message.received"]
    assert [line["log_level"] for line in lines] == ["info", *["debug"] * 4]
