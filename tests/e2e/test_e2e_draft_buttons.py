"""Buttons below a draft, over the wire: the owner of a bot account presses them with a stock client."""

from pathlib import Path

from edge.userbot import draft_phrases
from tests.e2e.conftest import product
from tests.e2e.test_e2e_approval import started

DECIDED = (("раз", draft_phrases.send_label("ru"), ["раз"]), ("два", draft_phrases.drop_label("ru"), []))


async def test_the_owner_of_a_bot_decides_with_the_buttons_below_a_draft(tmp_path: Path) -> None:
    async with product(tmp_path, bot=True, USERBOT_APPROVE="all") as made:
        approving = await started(made)
        for question, label, answers in DECIDED:
            visitor = made.visitor()
            draft = await approving.drafted(visitor, question)
            async with approving.client() as client:
                await client.resolve_peer(approving.chat())
                shown = await client.get_messages(approving.chat(), draft.id)
                [row] = shown.reply_markup.inline_keyboard
                [pressed] = [button.callback_data for button in row if button.text == label]
                await client.request_callback_answer(approving.chat(), draft.id, pressed)
            await approving.is_done(visitor)
            assert made.answers(visitor) == answers


async def test_below_the_drafts_of_a_user_account_there_are_none(tmp_path: Path) -> None:
    async with product(tmp_path, USERBOT_APPROVE="all") as made:
        approving = await started(made)
        draft = await approving.drafted(made.visitor(), "раз")
        assert draft.markup is None
