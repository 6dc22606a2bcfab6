"""How api of Telegram's API end, and how messages go out."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from pyrogram import raw
from pyrogram.errors import (
    AuthKeyDuplicated,
    AuthKeyUnregistered,
    FloodWait,
    InternalServerError,
    MessageAuthorRequired,
    MessageEditTimeExpired,
    MessageIdInvalid,
    MessageNotModified,
    PeerIdInvalid,
    RandomIdDuplicate,
    RPCError,
    UnknownError,
    UserIsBlocked,
)

from edge.userbot.driving.messenger import FloodWaited, MessengerError, Undeliverable, UnknownAnswer
from edge.userbot.formatting.styled_text import Entity, FormattedText
from edge.userbot.intake.account_updates import StateLost, UpdatesState
from edge.userbot.telegram import pyrogram_repairs
from edge.userbot.telegram.api import SessionRevoked, TelegramApi
from edge.userbot.telegram.client_differences import replied_id
from edge.userbot.telegram.faults import REPLY_GONE, BadMessage
from edge.userbot.telegram.messenger import TelegramMessenger
from edge.userbot.telegram.peers import Peers
from edge.userbot.telegram.session import report_reconnects
from edge.userbot.telegram.update_reader import UpdateReader
from edge.userbot.telegram.updates import Updates
from edge.userbot.telegram.updates_source import TelegramUpdatesSource
from events.runtime.clock import SystemClock
from events.runtime.retrying import Retrying

types = raw.types


@pytest.fixture(autouse=True)
def _repaired() -> None:
    pyrogram_repairs.repair(Retrying(SystemClock(), Random(1)))


class FakeClient:
    """Answers each call with the next of `answers`, an error or a result."""

    def __init__(self, *answers: Any, bot: bool = False) -> None:
        self.answers = list(answers)
        self.api: list[Any] = []
        self.options: list[dict[str, Any]] = []
        self.known = {2}
        self.me = SimpleNamespace(is_bot=bot)
        self.storage = SimpleNamespace(save=self._save)
        self.saved = 0

    async def _save(self) -> None:
        self.saved += 1

    async def invoke(self, query: Any, **options: Any) -> Any:
        self.api.append(query)
        self.options.append(options)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def resolve_peer(self, peer_id: int) -> Any:
        if peer_id not in self.known:
            raise KeyError(peer_id)
        return types.InputPeerUser(user_id=peer_id, access_hash=7)


def sent(number: int = 9) -> Any:
    return types.UpdateShortSentMessage(id=number, pts=5, pts_count=1, date=0)


def history(*messages: Any) -> Any:
    return SimpleNamespace(messages=list(messages))


def refused(code: int, name: str) -> RPCError:
    try:
        RPCError.raise_it(types.RpcError(error_code=code, error_message=name), raw.functions.messages.SendMessage)
    except RPCError as error:
        return error
    raise AssertionError


def own(number: int, text: str, reply_to: int | None) -> Any:
    header = types.MessageReplyHeader(reply_to_msg_id=reply_to) if reply_to else None
    peer = types.PeerUser(user_id=2)
    return types.Message(id=number, peer_id=peer, date=0, message=text, out=True, reply_to=header)


def telegram(client: FakeClient, told: list[Any] | None = None) -> TelegramMessenger:
    api = TelegramApi(client, flood_waited=lambda wait: None)
    return TelegramMessenger(client, api, rate=1000, on_updates=(told if told is not None else []).append)


async def test_a_send_is_one_short_attempt_under_its_random_id() -> None:
    client, told = FakeClient(sent()), []
    assert await telegram(client, told).send("2", FormattedText("привет"), reply_to=3, random_id=77) == 9
    assert (client.api[0].random_id, replied_id(client.api[0])) == (77, 3)
    assert client.options[0]["retries"] == 0
    assert client.options[0]["timeout"] <= 5
    assert len(told) == 1


async def test_a_random_id_that_telegram_knows_means_that_the_message_is_there() -> None:
    client = FakeClient(RandomIdDuplicate(), history(own(8, "другой", 3), own(7, "привет", 3)))
    assert await telegram(client).send("2", FormattedText("привет"), reply_to=3, random_id=77) == 7


@pytest.mark.parametrize("error", [TimeoutError(), OSError("cut"), InternalServerError(), ConnectionError()])
async def test_what_may_pass_is_tried_again_by_the_driver(error) -> None:
    with pytest.raises(MessengerError):
        await telegram(FakeClient(error)).send("2", FormattedText("привет"), reply_to=3, random_id=77)


async def test_a_flood_wait_is_handed_on_with_its_length() -> None:
    with pytest.raises(FloodWaited) as raised:
        await telegram(FakeClient(FloodWait("86400"))).send("2", FormattedText("привет"), reply_to=3, random_id=77)
    assert raised.value.wait == timedelta(days=1)


BOLD = FormattedText("привет, мир", (Entity("bold", 8, 3), Entity("pre", 0, 6, "py")))


async def test_formatting_goes_out_as_telegrams_own_types() -> None:
    client = FakeClient(sent(), types.Updates(updates=[], users=[], chats=[], date=0, seq=0))
    await telegram(client).send("2", BOLD, reply_to=3, random_id=77)
    await telegram(client).edit("2", 9, BOLD)
    for call in client.api:
        assert call.message == "привет, мир"
        assert call.entities == [
            types.MessageEntityBold(offset=8, length=3),
            types.MessageEntityPre(offset=0, length=6, language="py"),
        ]


@pytest.mark.parametrize("reason", ["ENTITY_BOUNDS_INVALID", "ENTITIES_TOO_LONG"])
async def test_a_message_whose_formatting_telegram_does_not_take_goes_out_without_it(reason) -> None:
    client = FakeClient(refused(400, reason), sent(), refused(400, reason), sent())
    assert await telegram(client).send("2", BOLD, reply_to=3, random_id=77) == 9
    await telegram(client).edit("2", 9, BOLD)
    assert [bool(call.entities) for call in client.api] == [True, False, True, False]
    assert {call.message for call in client.api} == {"привет, мир"}
    assert client.api[1].random_id == 77


@pytest.mark.parametrize("error", [UserIsBlocked(), PeerIdInvalid()])
async def test_what_telegram_will_never_take_is_undeliverable(error) -> None:
    with pytest.raises(Undeliverable):
        await telegram(FakeClient(error)).send("2", FormattedText("привет"), reply_to=3, random_id=77)


class Forgetful(FakeClient):
    """Knows nobody but those whom the pages of its dialogs have shown; answers to anything else come in between."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.known = set()

    async def invoke(self, query: Any, **options: Any) -> Any:
        await asyncio.sleep(0)
        answer = await super().invoke(query, **options)
        self.known |= {user.id for user in getattr(answer, "users", [])}
        return answer


def dialogs(*people: int, more: bool = False) -> Any:
    """A page: the newest message with each of `people` has its id."""
    peers = [types.PeerUser(user_id=id_) for id_ in people]
    parts = {
        "dialogs": [SimpleNamespace(peer=peer, top_message=peer.user_id, pinned=False) for peer in peers],
        "messages": [types.Message(id=peer.user_id, peer_id=peer, date=peer.user_id, message="?") for peer in peers],
        "chats": [],
        "users": [types.User(id=id_, first_name="A", access_hash=7) for id_ in people],
    }
    return types.messages.DialogsSlice(count=999, **parts) if more else types.messages.Dialogs(**parts)


async def test_somebody_whom_the_session_has_forgotten_is_looked_up_in_the_dialogs_to_their_end() -> None:
    client = Forgetful(dialogs(9, 8, more=True), dialogs(7, 2, more=True), sent())
    assert await telegram(client).send("2", FormattedText("привет"), reply_to=3, random_id=77) == 9
    assert [call.offset_id for call in client.api[:2]] == [0, 8]
    assert client.saved == 1


async def test_many_who_are_forgotten_at_once_are_looked_up_with_one_reading() -> None:
    client = Forgetful(dialogs(9, 8, more=True), dialogs(7, 2), *(sent() for _ in range(4)))
    messenger = telegram(client)
    await asyncio.gather(*(messenger.send(chat, FormattedText("привет"), reply_to=3, random_id=77) for chat in "2789"))
    assert sum(isinstance(call, raw.functions.messages.GetDialogs) for call in client.api) == 2


async def test_a_stranger_is_looked_for_in_so_many_dialogs_and_no_more() -> None:
    client = Forgetful(*(dialogs(number, more=True) for number in range(9, 99)))
    messenger = telegram(client)
    for _ in range(2):
        with pytest.raises(Undeliverable, match="not known to this session"):
            await messenger.send("2", FormattedText("привет"), reply_to=3, random_id=77)
    assert len(client.api) == 20
    client.known.add(2)
    client.answers = [sent()]
    assert await messenger.send("2", FormattedText("привет"), reply_to=3, random_id=77) == 9


async def searches(client: FakeClient, peers: Peers, chat: str = "2") -> int:
    """Return how often the dialogs were read for somebody whom they do not show."""
    before = len(client.api)
    with pytest.raises(Undeliverable, match="not known to this session"):
        await peers.peer(chat)
    return len(client.api) - before


def peers_of(client: FakeClient) -> Peers:
    return Peers(client, TelegramApi(client, flood_waited=lambda wait: None))


async def test_a_stranger_is_searched_for_again_after_a_while_and_after_a_reconnection(monkeypatch) -> None:
    client, past = Forgetful(*(dialogs(number) for number in range(3, 13))), [0.0]
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda now=loop.time: now() + past[0])
    peers = peers_of(client)
    assert [await searches(client, peers), await searches(client, peers)] == [1, 0]
    past[0] += 299
    assert await searches(client, peers) == 0
    past[0] += 1
    assert [await searches(client, peers), await searches(client, peers)] == [1, 0]
    peers.on_reconnected()
    assert [await searches(client, peers), await searches(client, peers)] == [1, 0]


async def test_whom_the_dialogs_show_after_a_reconnection_is_found() -> None:
    client = Forgetful(dialogs(9), dialogs(2))
    peers = peers_of(client)
    assert await searches(client, peers) == 1
    peers.on_reconnected()
    assert (await peers.peer("2")).user_id == 2


async def test_a_search_that_a_reconnection_interrupts_does_not_count() -> None:
    client = Forgetful(dialogs(9), dialogs(2))
    peers = peers_of(client)
    searching = asyncio.create_task(searches(client, peers))
    await asyncio.sleep(0)
    peers.on_reconnected()
    await searching
    assert (await peers.peer("2")).user_id == 2


def test_peers_hear_of_a_reconnection_before_what_was_missed_is_fetched() -> None:
    happened: list[str] = []
    updates = Updates(SimpleNamespace())
    updates.listen(UpdateReader("1"), lambda _item: happened.append("fetched"))
    updates.on_reconnected = lambda: happened.append("told")
    updates.reconnected()
    assert happened == ["told", "fetched"]


async def test_whom_the_difference_has_shown_is_on_disk_at_once() -> None:
    found = types.updates.Difference(**NOTHING, state=types.updates.State(pts=5, qts=0, date=0, seq=1, unread_count=0))
    client = FakeClient(found)
    account = TelegramUpdatesSource(TelegramApi(client, flood_waited=lambda wait: None), UpdateReader("1"))
    await account.difference(UpdatesState(pts=1))
    assert client.saved == 1


@pytest.mark.parametrize(
    ("name", "raised"),
    [
        ("PERSISTENT_TIMESTAMP_EMPTY", StateLost),
        ("PERSISTENT_TIMESTAMP_INVALID", StateLost),
        ("DATE_EMPTY", StateLost),
        ("CHANNEL_INVALID", UnknownAnswer),
        ("SOMETHING_NEW", UnknownAnswer),
    ],
)
async def test_only_a_refusal_about_the_state_says_that_the_state_is_lost(name: str, raised: type[Exception]) -> None:
    client = FakeClient(refused(400, name))
    account = TelegramUpdatesSource(TelegramApi(client, flood_waited=lambda wait: None), UpdateReader("1"))
    with pytest.raises(raised):
        await account.difference(UpdatesState(pts=1))


async def test_a_session_that_telegram_has_ended_is_told() -> None:
    client = FakeClient(AuthKeyUnregistered())
    api = TelegramApi(client, flood_waited=lambda wait: None)
    with pytest.raises(SessionRevoked):
        await api.invoke(raw.functions.updates.GetState())
    assert api.revoked.is_set()


async def test_the_typing_action_of_an_ended_session_ends_it_as_well() -> None:
    client = FakeClient(AuthKeyDuplicated())
    api = TelegramApi(client, flood_waited=lambda wait: None)
    await TelegramMessenger(client, api, rate=1000, on_updates=lambda updates: None).typing("2")
    assert api.revoked.is_set()


@pytest.mark.parametrize("error", [AttributeError("send"), UnknownError("[700 WHAT]"), BadMessage(99)])
async def test_what_is_in_no_table_is_an_unknown_answer(error: Exception) -> None:
    with pytest.raises(UnknownAnswer):
        await telegram(FakeClient(error)).send("2", FormattedText("привет"), reply_to=3, random_id=77)


@pytest.mark.parametrize("name", sorted(REPLY_GONE))
async def test_an_answer_to_a_message_that_is_gone_goes_out_without_a_reply(name: str) -> None:
    client = FakeClient(refused(400, name), sent())
    assert await telegram(client).send("2", FormattedText("привет"), reply_to=3, random_id=77) == 9
    assert [(call.random_id, replied_id(call)) for call in client.api] == [(77, 3), (77, None)]


async def test_a_message_that_went_out_without_its_reply_is_found_again() -> None:
    messages = [own(7, "привет", 5), own(8, "привет", None), own(2, "привет", None)]
    assert await telegram(FakeClient(history(*messages))).find_own("2", "привет", reply_to=3) == 8
    assert await telegram(FakeClient(history(messages[2]))).find_own("2", "привет", reply_to=3) is None


def event(number: int, reply_to: int | None) -> Any:
    """What stands in a chat without being written: a call, or the message that was pinned with it."""
    header = types.MessageReplyHeader(reply_to_msg_id=reply_to) if reply_to else None
    action = types.MessageActionPinMessage() if reply_to else types.MessageActionPhoneCall(call_id=1)
    return types.MessageService(
        id=number, peer_id=types.PeerUser(user_id=2), date=0, action=action, out=True, reply_to=header
    )


async def test_a_call_or_a_pinned_message_in_the_chat_is_passed_over() -> None:
    client = FakeClient(history(event(9, None), event(8, 3), own(7, "привет", 3)))
    assert await telegram(client).find_own("2", "привет", reply_to=3) == 7


@pytest.mark.parametrize("bot", [False, True])
async def test_who_has_pinned_a_question_has_not_answered_it(bot: bool) -> None:
    client = FakeClient(*[history(event(9, None), event(8, 3))] * 9, bot=bot)
    assert not await telegram(client).has_outcome("2", 3, thinking={"минутку"})
    client.answers = [history(own(9, "ответ", 3), event(8, 3)), history()]
    assert await telegram(client).has_outcome("2", 3, thinking={"минутку"})


@pytest.mark.parametrize("kept", ["при вет", "привет", "\u200bпри\tвет\u200f"])
async def test_a_message_is_found_whatever_telegram_has_made_of_its_blanks(kept: str) -> None:
    assert await telegram(FakeClient(history(own(8, kept, 3)))).find_own("2", "при \u00a0вет\u200b", reply_to=3) == 8


@pytest.mark.parametrize("bot", [False, True])
async def test_who_is_refused_a_look_into_the_chat_sends_all_the_same(bot: bool) -> None:
    client = FakeClient(refused(400, "BOT_METHOD_INVALID"), bot=bot)
    assert await telegram(client).find_own("2", "привет", reply_to=3) is None


def test_looks_into_very_many_chats_are_spread_over_time(virtually) -> None:
    times: list[float] = []

    async def life(_retrying: Retrying) -> None:
        client = FakeClient(*[history()] * 100)
        client.known = set(range(1, 101))
        api = TelegramApi(client, flood_waited=lambda wait: None)
        messenger = TelegramMessenger(client, api, rate=25, on_updates=lambda updates: None)

        async def look(chat: int) -> None:
            await messenger.find_own(str(chat), "привет", reply_to=3)
            times.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(look(chat) for chat in range(1, 101)))

    virtually(life)
    assert times[-1] > 2.5
    assert sum(time < 1 for time in times) <= 2 * 25


async def test_a_bot_looks_for_its_own_message_among_the_ids_after_the_one_that_it_replies_to() -> None:
    others = types.Message(id=7, peer_id=types.PeerUser(user_id=4), date=0, message="привет", out=True)
    gone = [types.MessageEmpty(id=id_) for id_ in range(9, 104)]
    client = FakeClient(history(own(4, "другой", 3), others, own(8, "привет", 3), *gone), history(*gone), bot=True)
    assert await telegram(client).find_own("2", "привет", reply_to=3) == 8
    first, second = ([wanted.id for wanted in call.id] for call in client.api)
    assert (first, second) == ([*range(4, 104)], [*range(104, 204)])


async def test_a_bot_gives_up_looking_for_its_own_message_in_a_flood_of_others() -> None:
    page = history(*(types.Message(id=7, peer_id=types.PeerUser(user_id=4), date=0, message="x") for _ in range(100)))
    client = FakeClient(*[page] * 9, bot=True)
    assert await telegram(client).find_own("2", "привет", reply_to=3) is None
    assert len(client.api) == 5


async def test_a_bot_needs_no_dialogs_to_write_to_somebody_whom_its_session_has_forgotten() -> None:
    client = FakeClient(sent(), bot=True)
    client.known.clear()
    assert await telegram(client).send("2", FormattedText("привет"), reply_to=3, random_id=77) == 9
    assert client.api[0].peer == types.InputPeerUser(user_id=2, access_hash=0)


@pytest.mark.parametrize("bot", [False, True])
async def test_who_is_shown_no_chats_reads_nothing_back_and_says_since_when_messages_may_be_missing(bot: bool) -> None:
    client = FakeClient(refused(400, "BOT_METHOD_INVALID"), bot=bot)
    account = TelegramUpdatesSource(TelegramApi(client, flood_waited=lambda wait: None), UpdateReader("1"))
    client.answers *= 2
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await account.recent(datetime(2026, 1, 1, tzinfo=UTC)) == []
    [line] = logs
    assert (line["event"], line["missed_since"]) == ("telegram.chats_not_shown", "2026-01-01T00:00:00+00:00")
    assert len(client.api) == (0 if bot else 2)


async def test_a_connection_that_came_back_is_told() -> None:
    happened, revoked = [], asyncio.Event()

    async def restart() -> None:
        happened.append("restarted")

    session = SimpleNamespace(restart=restart)
    report_reconnects(SimpleNamespace(session=session), reconnected=lambda: happened.append("told"), revoked=revoked)
    await session.restart()
    assert happened == ["restarted", "told"]
    assert not revoked.is_set()


@pytest.mark.parametrize("error", [AuthKeyDuplicated(), AuthKeyUnregistered(), RuntimeError("nobody thought of it")])
async def test_a_connection_that_never_comes_back_ends_the_session(error: Exception) -> None:
    revoked = asyncio.Event()

    async def restart() -> None:
        raise error

    session = SimpleNamespace(restart=restart)
    report_reconnects(SimpleNamespace(session=session), reconnected=lambda: None, revoked=revoked)
    await session.restart()
    assert revoked.is_set()


def edited(text: str) -> Any:
    peer = types.PeerUser(user_id=2)
    message = types.Message(id=9, peer_id=peer, date=0, message=text, out=True)
    update = types.UpdateEditMessage(message=message, pts=6, pts_count=1)
    return types.Updates(updates=[update], users=[], chats=[], date=0, seq=0)


async def test_an_edit_is_one_short_attempt_whose_change_is_told() -> None:
    client, told = FakeClient(edited("да")), []
    await telegram(client, told).edit("2", 9, FormattedText("да"))
    assert isinstance(client.api[0], raw.functions.messages.EditMessage)
    assert (client.api[0].id, client.api[0].message) == (9, "да")
    assert client.options[0]["retries"] == 0
    assert len(told) == 1


async def test_a_message_that_has_its_text_already_is_edited() -> None:
    client, told = FakeClient(MessageNotModified()), []
    await telegram(client, told).edit("2", 9, FormattedText("да"))
    assert not told


@pytest.mark.parametrize(
    "error", [MessageIdInvalid(), MessageAuthorRequired(), UserIsBlocked(), MessageEditTimeExpired()]
)
async def test_an_edit_that_telegram_never_takes_is_undeliverable(error: Exception) -> None:
    with pytest.raises(Undeliverable):
        await telegram(FakeClient(error)).edit("2", 9, FormattedText("да"))


async def test_previews_leave_a_chat_room_for_messages_that_must_not_wait() -> None:
    client = FakeClient(*[edited("да")] * 3, *[sent()] * 2)
    messenger = telegram(client)
    shown = [await messenger.preview("2", 9, FormattedText(str(number))) for number in range(5)]
    assert shown == [True, True, True, False, False]
    async with asyncio.timeout(1):
        for number in (1, 2):
            await messenger.send("2", FormattedText("да"), reply_to=None, random_id=number)


async def test_previews_leave_half_of_the_overall_rate_to_messages() -> None:
    client = FakeClient(*[edited("да")] * 9)
    client.known = set(range(1, 10))
    api = TelegramApi(client, flood_waited=lambda wait: None)
    messenger = TelegramMessenger(client, api, rate=4, on_updates=lambda updates: None)
    shown = [await messenger.preview(str(chat), 9, FormattedText("да")) for chat in range(1, 7)]
    assert shown == [True, True, False, False, False, False]


async def test_an_answer_of_an_unexpected_kind_is_unknown_and_one_message_keeps_no_other_back() -> None:
    peer = types.PeerUser(user_id=2)
    strange = types.Message(id=1, peer_id=peer, date=None, message="?")
    plain = types.Message(id=2, peer_id=peer, date=1_700_000_000, message="привет")
    users = [types.User(id=2, first_name="A", access_hash=7)]
    state = types.updates.State(pts=5, qts=0, date=0, seq=1, unread_count=0)
    difference = types.updates.Difference(
        new_messages=[strange, plain],
        new_encrypted_messages=[],
        other_updates=[],
        chats=[],
        users=users,
        state=state,
    )
    api = TelegramApi(FakeClient(types.Pong(msg_id=1, ping_id=1), difference), flood_waited=lambda wait: None)
    account = TelegramUpdatesSource(api, UpdateReader("1"))
    with pytest.raises(UnknownAnswer):
        await account.difference(UpdatesState(pts=1))
    found = await account.difference(UpdatesState(pts=1))
    assert [message.message_id for message in found.messages] == [2]


NEGATIVE = types.updates.State(pts=-1, qts=0, date=0, seq=0, unread_count=0)
NOTHING = {"new_messages": [], "new_encrypted_messages": [], "other_updates": [], "chats": [], "users": []}


@pytest.mark.parametrize(
    "answer",
    [
        types.updates.DifferenceTooLong(pts=-1),
        types.updates.DifferenceSlice(**NOTHING, intermediate_state=NEGATIVE),
        types.updates.Difference(**NOTHING, state=NEGATIVE),
    ],
)
async def test_a_negative_count_of_changes_is_no_state_to_go_on_from(answer: Any) -> None:
    api = TelegramApi(FakeClient(NEGATIVE, answer), flood_waited=lambda wait: None)
    account = TelegramUpdatesSource(api, UpdateReader("1"))
    with pytest.raises(UnknownAnswer):
        await account.state()
    with pytest.raises(UnknownAnswer):
        await account.difference(UpdatesState(pts=1))


async def test_that_people_cant_be_remembered_is_logged_once_not_with_every_call() -> None:
    client = FakeClient()

    async def fail() -> None:
        raise OSError("no space left on device")

    client.storage.save = fail
    api = TelegramApi(client, flood_waited=lambda wait: None)
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            await api.save_peers()
    assert [line["event"] for line in lines] == ["telegram.peers_not_remembered"]
