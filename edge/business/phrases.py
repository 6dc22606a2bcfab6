"""What the bot says to persons in their chat with it, in Russian and English.

No text starts with `/`, `+` or `-`: that would be an order.
"""

from edge.business.reasons import Reason
from edge.userbot.phrases import language

_WHERE = {
    "ru": "Настройки → Telegram для бизнеса → Чат-боты (в новых приложениях: Изменить профиль → Автоматизация чатов)",
    "en": "Settings → Telegram Business → Chatbots (in newer apps: Edit profile → Chat Automation)",
}

_RUSSIAN = {
    Reason.ENDED: (
        "Я больше не подключён к вашему аккаунту, поэтому один из ответов не отправлен."
        " Чтобы я снова отвечал, подключите меня: {where}."
    ),
    Reason.NO_RIGHT: (
        "Вы не разрешили мне отвечать от вашего имени, поэтому вопросы вам остаются без ответа."
        " Разрешить: {where}, право «Отвечать на сообщения»."
    ),
    Reason.NO_RIGHT_TO_DELETE: (
        "Я не смог удалить своё сообщение в одном из ваших чатов: вы этого не разрешили."
        " Разрешить: {where}, право «Удалять отправленные сообщения»."
    ),
    Reason.OUTSIDE: (
        "Я не смог ответить в одном из ваших чатов: он не входит в те, что вы для меня выбрали, или я там выключен."
        " Изменить выбор: {where}."
    ),
    Reason.TOO_LATE: (
        "Я не смог ответить в одном из ваших чатов: Telegram не принимает моих сообщений, если собеседник молчал"
        " 24 часа. Ответьте сами, или я отвечу, когда он напишет снова."
    ),
    Reason.UNKNOWN_PERSON: (
        "Я не смог ответить в одном из ваших чатов: Telegram пока не даёт мне писать этому собеседнику."
        " Ответьте сами, или я отвечу, когда он напишет снова."
    ),
    Reason.BLOCKED: (
        "Я не смог ответить в одном из ваших чатов: вы или собеседник заблокировали друг друга."
        " Чтобы переписка продолжилась, блокировку надо снять."
    ),
    Reason.NOT_FOR_BUSINESS: (
        "Telegram не даёт мне отвечать от вашего имени: похоже, у меня выключен режим Business Mode."
        " Его включает мой владелец у @BotFather; потом подключите меня снова: {where}."
    ),
}

_ENGLISH = {
    Reason.ENDED: (
        "I am not connected to your account any more, so an answer was not sent."
        " To have me answer again, connect me: {where}."
    ),
    Reason.NO_RIGHT: (
        "You have not allowed me to answer in your name, so questions to you get no answer."
        " To allow it: {where}, “Reply to Messages”."
    ),
    Reason.NO_RIGHT_TO_DELETE: (
        "I could not delete a message of mine in one of your chats, because you have not allowed that."
        " To allow it: {where}, “Delete Sent Messages”."
    ),
    Reason.OUTSIDE: (
        "I could not answer in one of your chats: it is not among those that you chose for me, or I am off there."
        " To change that: {where}."
    ),
    Reason.TOO_LATE: (
        "I could not answer in one of your chats: Telegram takes no message of mine if the other person has not"
        " written for 24 hours. Answer yourself, or I will once they write again."
    ),
    Reason.UNKNOWN_PERSON: (
        "I could not answer in one of your chats: Telegram does not let me write to that person yet."
        " Answer yourself, or I will once they write again."
    ),
    Reason.BLOCKED: (
        "I could not answer in one of your chats: you or the other person blocked the other."
        " To go on with that chat, the block has to be lifted."
    ),
    Reason.NOT_FOR_BUSINESS: (
        "Telegram does not let me answer in your name: my Business Mode seems to be off."
        " My owner turns it on with @BotFather; then connect me again: {where}."
    ),
}

_REFUSALS = {"ru": _RUSSIAN, "en": _ENGLISH}


def refusal(locale: str, reason: Reason) -> str:
    """Return why a chat of the person's got no message, and what to do about it."""
    spoken = language(locale)
    return _REFUSALS[spoken][reason].format(where=_WHERE[spoken])


_CONNECT = {
    "ru": "Чтобы я отвечал в ваших чатах, подключите меня и разрешите отвечать на сообщения: {where}.",
    "en": "To have me answer in your chats, connect me, and allow me to reply to messages: {where}.",
}
_CONNECT_AGAIN = {
    "ru": (
        "Вы отключили меня командой /disconnect. Чтобы я снова отвечал, уберите меня из аккаунта и добавьте заново:"
        " {where}."
    ),
    "en": (
        "You have disconnected me by /disconnect. To have me answer again, remove me from your account and add me"
        " anew: {where}."
    ),
}


def how_to_connect(locale: str, fallback: str, *, has_left: bool) -> str:
    """Return how a person without a connection makes one. `has_left`: they have sent `/disconnect`."""
    spoken = language(locale, fallback)
    return (_CONNECT_AGAIN if has_left else _CONNECT)[spoken].format(where=_WHERE[spoken])
