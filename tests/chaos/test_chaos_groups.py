"""What the storm sees of a group: outcomes in the topic in which something was asked, from the account."""

from pathlib import Path
from types import SimpleNamespace

from edge.sandbox.server import Sandbox
from edge.userbot.chat_tokens import ChatToken
from tests.chaos.edges import Edge
from tests.chaos.users import Question, outcomes, say
from tests.promises.lines import USER

TEXT = "вопрос 1"


async def test_an_outcome_is_what_the_account_writes_in_the_same_topic() -> None:
    async with Sandbox() as telegram:
        owner, anna, boris = (telegram.add_user(first_name=name) for name in ("Owner", "Anna", "Boris"))
        group = telegram.add_group("Readers", [anna.id, boris.id, owner.id], forum=True)
        topic = telegram.add_topic(anna.id, group.id, "Novels").id
        world, edge = SimpleNamespace(telegram=telegram), Edge(USER, owner, {}, Path("userbot.log"))
        asked = Question(edge, anna.id, 0, 0, TEXT, 0.0, 0, group=str(ChatToken(group.id, topic)))
        assert say(world, asked, TEXT).top_id == topic
        telegram.send_to_group(owner.id, group.id, TEXT)
        telegram.send_to_group(boris.id, group.id, TEXT, topic_id=topic)
        telegram.send(owner.id, anna.id, TEXT)
        assert outcomes(world, asked) == []
        telegram.send_to_group(owner.id, group.id, TEXT, topic_id=topic)
        assert [end.text for end in outcomes(world, asked)] == [TEXT]
