"""Messages come into the order of time, and those of a forum into their topics."""

import random
from contextlib import ExitStack

import pytest

from training.data.collector import MessageCollector
from training.data.dialogues import make_dialogues
from training.data.ordering import assign_topics, sort_messages
from training.data.telegram.export_reader import ExportedChat
from training.data.turns import make_turns
from training.data.workspace import Workspace


class Arranged:
    """The messages of some chats, arranged as `prepare` does."""

    def __init__(self, workspace, chats):
        self.workspace = workspace
        self.collector = MessageCollector()
        items = [
            (ExportedChat(number, type="private_supergroup"), item)
            for number, chat in enumerate(chats)
            for item in chat
        ]
        workspace.add_messages(self.collector.messages(items))
        workspace.resolve_replies()
        self.topics = assign_topics(workspace, self.collector.topics)
        if self.topics or self.collector.reordered:
            sort_messages(workspace)
        workspace.add_turns(make_turns(workspace.messages(), session_gap=14400, burst_gap=180))

    def dialogues(self, owner="user_me"):
        found = make_dialogues(self.workspace, frozenset({owner}), context_turns=8)
        return [[part.text for part in one.turns] for one in sorted(found, key=lambda one: one.time)]

    def fates(self):
        return self.workspace.count_by_name(
            "SELECT drop_reason, count(*) FROM messages WHERE drop_reason IS NOT NULL GROUP BY drop_reason"
        )


@pytest.fixture
def arrange(tmp_path):
    with ExitStack() as stack:
        yield lambda *chats: Arranged(stack.enter_context(Workspace.open(tmp_path / "workspace.sqlite")), chats)


def talk(export, pairs=12):
    for number in range(pairs):
        question = export.say("ann", f"вопрос {number}", after=20_000 if number % 3 == 0 else 60)
        export.say("me", f"ответ {number}", **({"reply_to_message_id": question} if number % 2 else {}))
    return export.items


@pytest.mark.parametrize("order", [reversed, lambda items: random.Random(1).sample(items, len(items))])
def test_messages_in_any_order_give_the_dialogues_of_the_right_order(export, tmp_path, order):
    def arranged(name, items):
        with Workspace.open(tmp_path / name) as workspace:
            made = Arranged(workspace, [items])
            return made.dialogues(), made.collector.reordered

    whole, none = arranged("right", talk(export))
    mixed, some = arranged("mixed", list(order(export.items)))
    assert mixed == whole
    assert none == 0
    assert 0 < some < len(export.items)


def test_messages_of_one_second_are_in_the_order_of_their_ids(export, arrange):
    for number in range(4):
        export.say("ann", f"{number}", after=0)
    export.say("me", "ответ")
    assert arrange(export.items[::-1]).dialogues() == [["0\n1\n2\n3", "ответ"]]


def test_an_hour_that_the_clock_showed_twice_keeps_its_order(export, arrange):
    for number, clock in enumerate(["01:50", "02:20", "02:50", "02:10", "02:40", "03:05"]):
        export.say("ann" if number % 2 == 0 else "me", f"{number}", date=f"2019-10-27T{clock}:00", date_unixtime=...)
    arranged = arrange(export.items)
    assert arranged.dialogues()[-1] == ["0", "1", "2", "3", "4", "5"]
    assert arranged.collector.reordered == 0


def forum(export):
    """Two topics and the general one, interleaved within seconds; returns the ids of the topics."""
    films, food = (
        export.say("me", "", type="service", action="topic_created", title=title) for title in ("Кино", "Еда")
    )
    seen = export.say("ann", "что смотреть?", reply_to_message_id=films)
    export.say("bob", "что варить?", after=5, reply_to_message_id=food)
    export.say("cat", "всем привет", after=5)
    export.say("me", "комедию", after=5, reply_to_message_id=films)
    export.say("me", "суп", after=5, reply_to_message_id=food)
    export.say("me", "и тебе", after=5)
    export.say("ann", "опять комедию?", after=5, reply_to_message_id=seen + 3)
    export.say("me", "тогда драму", after=5, reply_to_message_id=films)
    return films, food


def test_each_topic_of_a_forum_is_a_conversation(export, arrange):
    forum(export)
    arranged = arrange(export.items)
    assert arranged.topics == 2
    assert arranged.dialogues() == [
        ["что смотреть?", "комедию"],
        ["что варить?", "суп"],
        ["всем привет", "и тебе"],
        ["что смотреть?", "комедию", "опять комедию?", "тогда драму"],
    ]
    assert arranged.workspace.count("SELECT count(*) FROM messages WHERE reply_to IS NOT NULL") == 1


def test_a_topic_that_began_before_the_export_is_one_too(export, arrange):
    for number in range(5):
        export.say("bob", f"вопрос {number}", after=20_000, reply_to_message_id=5, id=1000 + 4 * number)
        export.say("ann", "не по теме", after=1, id=1001 + 4 * number)
        export.say("me", f"ответ {number}", after=1, reply_to_message_id=5, id=1002 + 4 * number)
    arranged = arrange(export.items)
    assert arranged.topics == 1
    assert arranged.dialogues() == [[f"вопрос {number}", f"ответ {number}"] for number in range(5)]


def test_what_answers_a_lost_message_of_a_forum_is_a_conversation_of_its_own(export, arrange):
    forum(export)
    export.say("bob", "а хлеб?", after=1, reply_to_message_id=777)
    export.say("me", "и хлеб", after=1, reply_to_message_id=777)
    export.say("me", "спокойной ночи", after=1)
    arranged = arrange(export.items)
    assert ["а хлеб?", "и хлеб"] in arranged.dialogues()
    assert arranged.topics == 2


def test_outside_a_forum_a_lost_parent_changes_nothing(export, arrange):
    export.say("ann", "кто там?", reply_to_message_id=777)
    export.say("bob", "и я хочу знать", after=5)
    export.say("me", "почтальон", after=5, reply_to_message_id=777)
    assert arrange(export.items).dialogues() == [["кто там?", "и я хочу знать", "почтальон"]]


def test_a_circle_of_replies_in_a_forum_ends(export, arrange):
    forum(export)
    number = len(export.items)
    export.say("ann", "курица", reply_to_message_id=number + 2)
    export.say("me", "яйцо", reply_to_message_id=number + 1)
    assert ["курица", "яйцо"] in arrange(export.items).dialogues()


def test_a_message_that_is_there_twice_is_taken_once(export, arrange):
    items = talk(export, pairs=2)
    arranged = arrange([*items[:3], *items[2:], items[0]])
    assert arranged.dialogues() == [["вопрос 0", "ответ 0"], ["вопрос 1", "ответ 1"]]
    assert arranged.fates() == {"repeated": 2}


def test_of_two_messages_with_one_id_the_nearer_one_is_answered(export, arrange):
    export.say("ann", "старый вопрос", id=7)
    export.say("ann", "новый вопрос", id=7, after=900)
    export.say("me", "ответ", reply_to_message_id=7)
    export.say("ann", "будущий вопрос", id=7)
    assert arrange(export.items).dialogues() == [["новый вопрос", "ответ"]]


def test_a_group_that_became_a_supergroup_is_one_conversation(export, arrange):
    export.say("ann", "переезжаем?", id=-999_999_995)
    export.say("me", "да", id=-999_999_990, reply_to_message_id=-999_999_995)
    export.say("ann", "переехали", id=1)
    export.say("me", "ура", id=2, reply_to_message_id=1)
    arranged = arrange(export.items)
    assert arranged.dialogues() == [["переезжаем?", "да"], ["переехали", "ура"]]
    assert arranged.collector.reordered == 0
