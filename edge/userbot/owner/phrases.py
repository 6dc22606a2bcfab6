"""What the owner's orders are answered with, in Russian and English.

No text starts with `/`, `+` or `-`: none of them could be taken for an order or a decision about a draft.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from edge.userbot import phrases
from edge.userbot.chat.policy import FOR_EVER
from edge.userbot.owner.orders import ALL, Help, Misused, Parsed


@dataclass(frozen=True, slots=True)
class Words:
    """One language's texts. `usages`: how a command is written, by its name."""

    help: str
    help_to_leave: str
    unknown: str
    misused: str
    too_many: str
    failed: str
    no_such_chat: str
    unreadable_chat: str
    not_now: str
    unreadable_policy: str
    paused: str
    paused_chat: str
    resumed: str
    resumed_chat: str
    still_paused: str
    cancelled: str
    cancelled_chat: str
    allowed: str
    denied: str
    full: str
    disconnected: str
    connected_again: str
    until: str
    until_resumed: str
    nothing: str
    usages: dict[str, str]


_RUSSIAN = Words(
    help=(
        "Команды для вас:\n\n"
        "/status — паузы, тихие часы, что в работе\n"
        "/pause [ЧАТ|all] [ВРЕМЯ] — не отвечать: в одном чате или нигде; без времени — до /resume\n"
        "/resume [ЧАТ|all] — снова отвечать\n"
        "/queue — вопросы в работе и черновики\n"
        "/cancel [ЧАТ|all] — отменить вопросы, которые ждут ответа\n"
        "/limits — ограничения и сколько уже потрачено\n"
        "/allow [КТО…], /deny [КТО…] — кому отвечать и кому нет; без имени — показать списки\n"
        "/help — эта справка\n\n"
        "ЧАТ — номер или @имя. ВРЕМЯ — 10m, 2h, 1d или просто минуты. КТО — номер, @имя, contacts, wrote_first.\n"
        "На черновик ответьте «+» (отправить), «-» (не отправлять) или своим текстом."
    ),
    help_to_leave="/disconnect — больше не отвечать и стереть всё, что я храню о ваших чатах",
    unknown="Такой команды нет. Что есть: /help",
    misused="Не получилось прочитать команду. Пишите так: {usage}",
    too_many="Слишком много команд сразу: эту я пропускаю. Дождитесь ответов и повторите.",
    failed="Не получилось выполнить команду. Посмотрите журнал и повторите её.",
    no_such_chat="Не нахожу {chat} в Telegram. Проверьте имя или укажите номер чата: он есть в /queue.",
    unreadable_chat="Запись чата {chat} не читается. /delete_history, написанное в том чате, начнёт её заново.",
    not_now="Telegram не даёт найти {chat}. Повторите команду позже или укажите номер чата.",
    unreadable_policy=(
        "Запись с паузами и списками не читается: никому не отвечаю. Начать её заново: /resume — списки будут пусты."
    ),
    paused="Пауза: никому не отвечаю {until}.",
    paused_chat="Пауза: в чате {chat} не отвечаю {until}.",
    resumed="Готово: общей паузы больше нет. Паузы отдельных чатов показывает /status.",
    resumed_chat="Готово: в чате {chat} паузы больше нет.",
    still_paused="Но действует общая пауза; снять её: /resume",
    cancelled="Готово: вопросы, заданные до этой команды, отменены.",
    cancelled_chat="Готово: вопросы, заданные в чате {chat} до этой команды, отменены.",
    allowed="Готово: отвечаю {who}.",
    denied="Готово: не отвечаю {who}.",
    full="Список полон: в нём {most} записей. Перенесите постоянные в настройки USERBOT_ALLOW и USERBOT_DENY.",
    disconnected=(
        "Готово: в ваших чатах больше не отвечаю; переписку, вопросы, списки и паузы стираю. Теперь уберите меня из"
        " аккаунта: Настройки → Telegram для бизнеса → Чат-боты (в новых приложениях: Изменить профиль → Автоматизация"
        " чатов)."
    ),
    connected_again=(
        "Вы подключили меня снова уже после этой команды, поэтому отвечаю дальше и ничего не стираю. Если больше не"
        " отвечать, пришлите её ещё раз."
    ),
    until="до {moment}",
    until_resumed="до команды /resume",
    nothing="нет",
    usages={
        "pause": "/pause, /pause 2h, /pause 123456789 30m, /pause @name",
        "resume": "/resume, /resume 123456789, /resume @name",
        "cancel": "/cancel, /cancel 123456789, /cancel @name",
        "allow": "/allow, /allow 123456789, /allow @name, /allow contacts",
        "deny": "/deny, /deny 123456789, /deny @name, /deny wrote_first",
    },
)

_ENGLISH = Words(
    help=(
        "Commands for you:\n\n"
        "/status — pauses, quiet hours, what is in work\n"
        "/pause [CHAT|all] [TIME] — don't answer: in one chat or anywhere; without a time, until /resume\n"
        "/resume [CHAT|all] — answer again\n"
        "/queue — questions in work, and drafts\n"
        "/cancel [CHAT|all] — cancel questions that wait for an answer\n"
        "/limits — the limits, and how much of them is used\n"
        "/allow [WHO…], /deny [WHO…] — who is answered and who is not; without a name, show the lists\n"
        "/help — show this help\n\n"
        "CHAT: a number or @name. TIME: 10m, 2h, 1d, or just minutes. WHO: a number, @name, contacts, wrote_first.\n"
        "Reply to a draft with “+” (send it), “-” (don't send it) or a text of your own."
    ),
    help_to_leave="/disconnect — stop answering, and erase all that I store about your chats",
    unknown="There is no such command. See /help",
    misused="I can't read this command. Write it like this: {usage}",
    too_many="Too many commands at once: I skip this one. Wait for the answers, then repeat it.",
    failed="I could not carry out this command. See the log, then repeat it.",
    no_such_chat="I can't find {chat} in Telegram. Check the name, or give the chat's number, which /queue shows.",
    unreadable_chat="I can't read the record of chat {chat}. /delete_history, sent in that chat, starts it afresh.",
    not_now="Telegram does not let me look up {chat}. Repeat the command later, or give the chat's number.",
    unreadable_policy=(
        "I can't read the record of pauses and lists, so I answer no one. /resume starts it afresh, with empty lists."
    ),
    paused="Paused: I answer no one {until}.",
    paused_chat="Paused: I don't answer in chat {chat} {until}.",
    resumed="Done: the pause for everyone is over. /status shows the pauses of single chats.",
    resumed_chat="Done: the pause in chat {chat} is over.",
    still_paused="But all chats are paused; end that with /resume",
    cancelled="Done: the questions asked before this command are cancelled.",
    cancelled_chat="Done: the questions asked in chat {chat} before this command are cancelled.",
    allowed="Done: I answer {who}.",
    denied="Done: I don't answer {who}.",
    full="The list is full: it has {most} entries. Move lasting ones to the settings USERBOT_ALLOW and USERBOT_DENY.",
    disconnected=(
        "Done: I don't answer in your chats any more, and erase the conversations, questions, lists and pauses. Now"
        " remove me from your account: Settings → Telegram Business → Chatbots (in newer apps: Edit profile → Chat"
        " Automation)."
    ),
    connected_again=(
        "You connected me again after you had sent this command, so I go on answering, and erase nothing. If I am to"
        " stop, send it once more."
    ),
    until="until {moment}",
    until_resumed="until you send /resume",
    nothing="none",
    usages=_RUSSIAN.usages,
)

_LANGUAGES = {"ru": _RUSSIAN, "en": _ENGLISH}


def words(locale: str) -> Words:
    """Return the texts of `locale`, as `phrases.language` understands it."""
    return _LANGUAGES[phrases.language(locale)]


def how_to_order(locale: str, parsed: Parsed | None, *, may_leave: bool = False) -> str:
    """Return what commands there are, or how to write one. `may_leave`: `/disconnect` is one."""
    match parsed:
        case Help() if may_leave:
            commands, hints = words(locale).help.rsplit("\n\n", maxsplit=1)
            return f"{commands}\n{words(locale).help_to_leave}\n\n{hints}"
        case Help():
            return words(locale).help
        case Misused(name) if may_leave or name != "disconnect":
            return words(locale).misused.format(usage=words(locale).usages.get(name, f"/{name}"))
    return words(locale).unknown


def paused(locale: str, chat: str, until: str) -> str:
    """Return that there are no answers in `chat`, an id, `@username` or `ALL`. `until`: from the function `until`."""
    text = words(locale).paused if chat == ALL else words(locale).paused_chat
    return text.format(chat=chat, until=until)


def resumed(locale: str, chat: str, *, still_paused: bool = False) -> str:
    """Return that the pause is over. `still_paused`: but all chats are paused."""
    text = (words(locale).resumed if chat == ALL else words(locale).resumed_chat).format(chat=chat)
    return f"{text} {words(locale).still_paused}" if still_paused else text


def cancelled(locale: str, chat: str) -> str:
    return (words(locale).cancelled if chat == ALL else words(locale).cancelled_chat).format(chat=chat)


def until(locale: str, end: datetime, *, since: datetime, zone: tzinfo) -> str:
    """Return when a pause ends, by the clock of `zone`; with the date if it is not that of `since`."""
    if end >= FOR_EVER:
        return words(locale).until_resumed
    local = end.astimezone(zone)
    same_day = local.date() == since.astimezone(zone).date()
    moment = local.strftime("%H:%M" if same_day else "%d.%m.%Y %H:%M")
    # UTC is the default: the owner's own clock may show another time.
    return words(locale).until.format(moment=f"{moment} UTC" if zone is UTC else moment)
