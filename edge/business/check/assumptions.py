"""What the edge for business connections assumes of Telegram, each with the page on which it rests."""

from enum import Enum

CORE = "https://core.telegram.org"
CONNECTED = f"{CORE}/api/bots/connected-business-bots"
CONNECT = f"{CORE}/constructor/updateBotBusinessConnect"
NEW_MESSAGE = f"{CORE}/constructor/updateBotNewBusinessMessage"
SEND = f"{CORE}/method/messages.sendMessage"
ASK = f"{CORE}/method/account.getBotBusinessConnection"
UPDATES = f"{CORE}/api/updates"


class Assumption(Enum):
    """The value is what is assumed, and the page."""

    BUSINESS_MODE = "a bot with Business Mode has the flag bot_business", CONNECTED
    CONNECT_UPDATE = "a connection is told by an update with its user, dc_id and rights", CONNECT
    ASK_CONNECTION = "getBotBusinessConnection gives the same connection again", ASK
    UNKNOWN_CONNECTION = "getBotBusinessConnection refuses an unknown id with CONNECTION_ID_INVALID", ASK
    FROM_PERSON = "what the person writes comes as updateBotNewBusinessMessage, marked as outgoing", NEW_MESSAGE
    TO_PERSON = "what others write to the person comes as updateBotNewBusinessMessage", NEW_MESSAGE
    HASHES = "these updates come with the people of the chat, each with an access hash", f"{CORE}/api/peers"
    COUNTED_BY_QTS = "each of these updates raises qts by one", UPDATES
    DIFFERENCE = "getDifference with an earlier qts gives the same updates again", UPDATES
    SILENT_CHAT = "a chat without a message to the person in 24 hours is refused: BUSINESS_PEER_USAGE_MISSING", SEND
    DATA_CENTRE = "calls through the connection are taken at its dc_id", f"{CORE}/method/invokeWithBusinessConnection"
    RESULT_FORM = "the result of sendMessage is Updates with one updateBotNewBusinessMessage", SEND
    OURS = "what the bot sends has via_business_bot_id", f"{CORE}/constructor/message"
    ECHO = "what the bot sends comes back at most once, with the same id and marked as its own", f"{CORE}/bots/features"
    REPEAT = "a repeated random_id gives the same message, or RANDOM_ID_DUPLICATE", SEND
    REPLY = "a reply is sent as one", SEND
    EDIT = "a message of the bot's can be edited through the connection", CONNECTED
    TYPING = "typing can be shown through the connection", CONNECTED
    DRAFT = "a live draft can be shown through the connection", f"{CORE}/api/bots/ai"
    DELETE = "a message of the bot's can be deleted through the connection", CONNECTED
    TOLD = "the bot may write to the person, at the latest after /start", f"{CORE}/bots/features"
    BUTTON = "a button that is pressed in the chat with the bot is told by an update", f"{CORE}/api/bots/buttons"
    NEW_ID = "a change of rights or chats gives the connection another id", CONNECTED
    OLD_ID = "the former id is refused with BUSINESS_CONNECTION_INVALID", CONNECTED
    NO_RIGHT = "without the right to reply sendMessage is refused with BOT_ACCESS_FORBIDDEN", CONNECTED
    NOT_SELECTED = "a chat that the person has excluded is refused with BUSINESS_PEER_INVALID", SEND
    DISABLED = "a person who disconnects the bot is told by an update that says disabled", CONNECT
    GONE = "a connection that is over is refused with BUSINESS_CONNECTION_INVALID", CONNECTED

    def __init__(self, says: str, page: str) -> None:
        self.says = says
        self.page = page

    @property
    def key(self) -> str:
        """Return its name in docs/business.md."""
        return self.name.lower()


class Task(Enum):
    """What the person has to do; `{bot}` and `{word}` are filled in."""

    CONNECT = (
        "connect @{bot} to your account, for all private chats and with the right to reply; in Telegram: edit your"
        " profile, Chat Automation (older apps: Settings, Telegram Business, Chatbots). If it is connected already,"
        " disconnect it first"
    )
    WRITE = (
        "from that account write  {word} 1  to a second account of yours, which has not written to you in the last 24"
        " hours"
    )
    ANSWER = "from the second account answer  {word} 2"
    START = "write /start to @{bot}"
    PRESS = "press the button that @{bot} has sent you"
    TAKE_RIGHT = "take the right to reply away from the bot, and change nothing else"
    EXCLUDE = "give the right to reply back, and exclude the second account from the bot's chats"
    DISCONNECT = "disconnect the bot"
