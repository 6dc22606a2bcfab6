"""Handlers: press a bot's inline button, and answer the press (https://core.telegram.org/api/bots/buttons)."""

from edge.sandbox import buttons, render
from edge.sandbox.buttons import Press
from edge.sandbox.call import Call, Handler, Push
from edge.sandbox.faults import Refusal
from edge.sandbox.state import Account, SandboxState
from edge.sandbox.tl import Bool, Result, TLObject, functions, types


def get_bot_callback_answer(call: Call, query: functions.messages.GetBotCallbackAnswer) -> Press:
    press, push = press_button(call.state, call.me, call.peer(query.peer), query.msg_id, query.data or b"")
    call.pushes.append(push)
    return press


def set_bot_callback_answer(call: Call, query: functions.messages.SetBotCallbackAnswer) -> Result:
    if not call.me.bot:
        raise Refusal(400, "USER_BOT_REQUIRED")
    press = call.state.presses.pop(query.query_id, None)
    if press is None or press.bot_id != call.me.id or press.answer is not None:
        raise Refusal(400, "QUERY_ID_INVALID")
    answer = types.messages.BotCallbackAnswer(
        cache_time=query.cache_time, alert=query.alert, message=query.message, url=query.url
    )
    press.settle(answer)
    return Bool(True)


def press_button(state: SandboxState, user: Account, bot: Account, message_id: int, data: bytes) -> tuple[Press, Push]:
    """Press a button of the user's copy of a message. Return the press, and the update for the bot. Raises Refusal."""
    message = user.box.messages.get(message_id)
    if message is None or message.peer_id != bot.id or message.out or not bot.bot:
        raise Refusal(400, "MESSAGE_ID_INVALID")
    copy = bot.box.copy_of(message)
    if copy is None or data not in buttons.data_of(message.markup):
        raise Refusal(400, "DATA_INVALID")
    press = Press(next(state.press_ids), bot.id)
    state.presses[press.id] = press
    update = types.UpdateBotCallbackQuery(
        query_id=press.id,
        user_id=user.id,
        peer=types.PeerUser(user_id=user.id),
        msg_id=copy.id,
        chat_instance=state.access_hash(bot.id, user.id),
        data=data,
    )
    return press, Push(bot.id, render.updates(state, bot, [update], [user.id]), counted=False)


HANDLERS: dict[type[TLObject], Handler] = {
    functions.messages.GetBotCallbackAnswer: get_bot_callback_answer,
    functions.messages.SetBotCallbackAnswer: set_bot_callback_answer,
}
