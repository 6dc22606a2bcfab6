"""The accounts and processes that a plan adds to a world."""

from collections.abc import Sequence
from typing import Any

from bridge import app as bridge
from bridge.settings import BridgeSettings, CodecName
from edge.business import app as business
from edge.business.settings import BusinessSettings
from edge.userbot import app as userbot
from edge.userbot.settings import UserbotSettings
from events.rabbitmq.topology import REQUESTS
from functions.generate import app as generate
from functions.generate.settings import GenerateSettings
from tests.simulation import before
from tests.simulation.addresses import MODELS
from tests.simulation.connections import PROCESS as BUSINESS
from tests.simulation.connections import process_of
from tests.simulation.people import People
from tests.simulation.plan import Plan
from tests.simulation.requests import QUEUES
from tests.simulation.sessions import session_string
from tests.simulation.talks import gather
from tests.simulation.world import World

OWNERS = ("approve", "allow", "deny", "refused")
"""How the names of settings begin that need an owner, whom a bot may not have."""
ECHO = 0.5
"""How likely Telegram sends a connected bot its own messages as well."""
SLOW = ("broker_engine_slow", "stop_slow", "rabbit_handed_back")
"""Blows after which answers take longer than processes should wait at their end."""


def populate(people: People) -> None:
    """Add the accounts and processes of their plan to their world."""
    world, plan = people.world, people.plan
    asking = {"approve_list": ",".join(str(user.id) for user in people.approving)}
    if persons := [name for name in plan.edges if process_of(name) == BUSINESS]:
        _add_business(world, persons, dict(plan.settings) | asking)
    for name in [name for name in plan.edges if name not in persons]:
        _add_userbot(people, name, asking)
    # Where answers take longer, processes do not wait for them at their end.
    hasty = {"grace": 1} if any(blow.what in SLOW for blow in plan.blows) else {}
    _add_workers(world, plan, hasty)
    for name in plan.before:
        world.processes[name].is_before = not before.why_not()


def _add_business(world: World, persons: Sequence[str], settings: dict[str, Any]) -> None:
    """Add a bot, and accounts whose persons may connect it."""
    bot = world.telegram.add_user(first_name=BUSINESS, username="timokha_business", bot=True, business=True)
    world.telegram.faults.echo_business = world.chance.random() < ECHO
    for number, name in enumerate(persons):
        world.accounts[name] = world.telegram.add_user(first_name=name, phone=f"+7888{number:07}", lang_code="ru")
        world.callers[name] = bot
        world.telegram.send(world.accounts[name].id, bot.id, "/start")
    own = {"session": session_string(world.telegram, bot, world.chance), "bot_token": bot.token}
    world.add(BUSINESS, business.main, BusinessSettings, own | settings)


def _add_userbot(people: People, name: str, asking: dict[str, str]) -> None:
    world, is_bot = people.world, name == "bot"
    account = world.telegram.add_user(first_name=name, username=f"timokha_{name}", bot=is_bot)
    world.accounts[name] = world.callers[name] = account
    settings = _settings_of(people, asking, is_bot=is_bot) | ({} if is_bot else gather(people, name))
    own = {"session": session_string(world.telegram, account, world.chance)}
    world.add(name, userbot.main, UserbotSettings, own | settings)


def _settings_of(people: People, asking: dict[str, str], *, is_bot: bool) -> dict[str, Any]:
    owner = people.bots_owner
    is_owned = not is_bot or owner is not None
    given = {name: value for name, value in people.plan.settings if is_owned or not name.startswith(OWNERS)}
    given |= asking if is_owned else {}
    return given | ({"owner": owner.id} if owner else {})


def _add_workers(world: World, plan: Plan, hasty: dict[str, Any]) -> None:
    """Add the generate functions and the bridges."""
    for name in ("generate-1", "generate-2"):
        world.add(name, generate.main, GenerateSettings, {"trigger": "jetstream"} | hasty)
    if plan.rabbitmq:
        world.add("bridge", bridge.main, BridgeSettings, hasty)
    if "generate-rabbitmq" in plan.processes:
        world.add("generate-rabbitmq", generate.main, GenerateSettings, {"trigger": "rabbitmq"} | hasty)
    if plan.codec:
        inward = {"direction": "in", "codec": plan.codec, "request_queue": QUEUES[plan.codec]}
        world.add("bridge-in", bridge.main, BridgeSettings, (_both_ways(plan.codec) if plan.both else inward) | hasty)


def _both_ways(codec: str) -> dict[str, Any]:
    """Return the settings of a bridge that takes requests in and sends them out."""
    ours = codec == CodecName.EVENTS
    out_queue, prefetch = (REQUESTS.name, 1) if ours else (MODELS, 4)
    return {
        "direction": "both",
        "codec": codec,
        "in_queue": QUEUES[codec],
        "out_queue": out_queue,
        "prefetch": prefetch,
    }
