"""Declarations: what exists must be as it is declared again.

The texts are RabbitMQ's: our adapters read some of them.
"""

from collections.abc import Mapping
from typing import Any

from pamqp.commands import Exchange as ExchangeMethods
from pamqp.commands import Queue as QueueMethods

from tests.simulation.rabbitmq.errors import ChannelFault
from tests.simulation.rabbitmq.exchanges import KINDS, Exchange
from tests.simulation.rabbitmq.queues import Queue
from tests.simulation.rabbitmq.store import Store

COMPARED = (
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-max-length-bytes",
    "x-delivery-limit",
    "x-overflow",
    "x-queue-type",
)
"""In this order; the first difference is the one that is told."""


def declare_queue(store: Store, wanted: QueueMethods.Declare, connection: object) -> Queue:
    """Return the queue, made if need be. Raises ChannelFault."""
    name = wanted.queue or store.new_name()
    if wanted.passive or name in store.queues:
        queue = find_queue(store, name, connection)
        if not wanted.passive:
            _compare(queue, wanted, connection)
        return queue
    return store.add_queue(
        name,
        durable=bool(wanted.durable),
        auto_delete=bool(wanted.auto_delete),
        owner=connection if wanted.exclusive else None,
        arguments=wanted.arguments or {},
    )


def find_queue(store: Store, name: str, connection: object) -> Queue:
    """Raises ChannelFault if it does not exist, or belongs to another connection."""
    queue = store.queues.get(name)
    if queue is None:
        raise ChannelFault(404, f"no queue '{name}' in vhost '/'")
    if queue.owner not in (None, connection):
        raise _locked(name)
    return queue


def declare_exchange(store: Store, wanted: ExchangeMethods.Declare) -> None:
    """Raises ChannelFault."""
    known = find_exchange(store, wanted.exchange) if wanted.passive else store.exchanges.get(wanted.exchange)
    if known is None:
        if wanted.exchange_type not in KINDS:
            raise ChannelFault(406, f"invalid exchange type '{wanted.exchange_type}'")
        store.exchanges[wanted.exchange] = Exchange(
            wanted.exchange, wanted.exchange_type, bool(wanted.durable), bool(wanted.auto_delete)
        )
    elif not wanted.passive:
        what = f"exchange '{wanted.exchange}'"
        _same("type", what, wanted.exchange_type, known.kind)
        _same("durable", what, bool(wanted.durable), known.durable)
        _same("auto_delete", what, bool(wanted.auto_delete), known.auto_delete)


def find_exchange(store: Store, name: str) -> Exchange:
    """Raises ChannelFault."""
    if name not in store.exchanges:
        raise ChannelFault(404, f"no exchange '{name}' in vhost '/'")
    return store.exchanges[name]


def _compare(queue: Queue, wanted: QueueMethods.Declare, connection: object) -> None:
    if queue.owner != (connection if wanted.exclusive else None):
        raise _locked(queue.name)
    what = f"queue '{queue.name}'"
    _same("durable", what, bool(wanted.durable), queue.durable)
    _same("auto_delete", what, bool(wanted.auto_delete), queue.auto_delete)
    ours, theirs = _known_type(wanted.arguments or {}), _known_type(queue.arguments)
    for name in COMPARED:
        ours_has, theirs_has = ours.get(name), theirs.get(name)
        if ours_has is not None and theirs_has is not None:
            _same(name, what, ours_has, theirs_has)
        elif ours_has is not None or theirs_has is not None:
            raise _inequivalent(name, what, _described(ours_has), _described(theirs_has))


def _known_type(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**arguments, "x-queue-type": arguments.get("x-queue-type", "classic")}


def _same(name: str, what: str, received: object, current: object) -> None:
    if received != current:
        raise _inequivalent(name, what, _quoted(received), _quoted(current))


def _inequivalent(name: str, what: str, received: str, current: str) -> ChannelFault:
    text = f"inequivalent arg '{name}' for {what} in vhost '/': received {received} but current is {current}"
    return ChannelFault(406, text)


def _quoted(value: object) -> str:
    return f"'{str(value).lower() if isinstance(value, bool) else value}'"


def _described(value: object) -> str:
    if value is None:
        return "none"
    return f"the value {_quoted(value)} of type '{_kind(value)}'"


def _kind(value: object) -> str:
    """Return the type as which pamqp sends it: the smallest that has room for it."""
    if not isinstance(value, int):
        return "longstr"
    kinds = ((2**7, "byte"), (2**15, "short"), (2**16, "unsignedshort"), (2**31, "signedint"))
    return next((kind for most, kind in kinds if value < most), "long")


def _locked(name: str) -> ChannelFault:
    return ChannelFault(
        405,
        f"cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be originally declared on "
        "another connection or the exclusive property value does not match that of the original declaration.",
    )
