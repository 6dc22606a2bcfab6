"""JetStream in a running server: streams take what is published, consumers deliver it, and an API manages both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.nats import errors
from tests.simulation.nats.api import Api
from tests.simulation.nats.configs import check_update, consumer_config, stream_config
from tests.simulation.nats.consumer_state import ConsumerState
from tests.simulation.nats.consumers import Consumer, PullRequest
from tests.simulation.nats.errors import Refused
from tests.simulation.nats.publishing import publish, refused_answer, stored_answer
from tests.simulation.nats.store import time_of
from tests.simulation.nats.streams import Stream

if TYPE_CHECKING:
    from tests.simulation.nats.server import NatsServer


@dataclass(eq=False)
class Intake:
    """What listens on a stream's subjects."""

    stream: Stream
    store: Callable[[Stream, str, str, bytes, bytes], None]
    queue: str = ""

    def take(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        self.store(self.stream, subject, reply, headers, payload)


class JetStream:
    """Runs what the store has. Methods raise Refused."""

    def __init__(self, server: "NatsServer") -> None:
        self.server, self.store = server, server.store
        self._intakes: dict[str, Intake] = {}
        self._consumers: dict[str, dict[str, Consumer]] = {}
        Api(self).listen()
        for stream in self.store.streams.values():
            self._run(stream)

    def end(self) -> None:
        for consumers in self._consumers.values():
            for consumer in consumers.values():
                consumer.end()

    # --- streams

    def stream(self, name: str) -> Stream:
        if name not in self.store.streams:
            raise Refused(errors.STREAM_NOT_FOUND)
        stream = self.store.streams[name]
        stream.expire()
        return stream

    def create_stream(self, asked: dict[str, Any]) -> Stream:
        """Return a new stream, or the one that is already there and just so."""
        config = self._stream_config(asked)
        found = self.store.streams.get(config["name"])
        if found is not None:  # an empty one is false
            if found.config != config:
                raise Refused(errors.NAME_IN_USE)
            return found
        stream = Stream(config, self.store.stamp(), self.store.now)
        self.store.streams[stream.name] = stream
        self._run(stream)
        return stream

    def update_stream(self, asked: dict[str, Any]) -> Stream:
        stream = self.stream(asked.get("name", ""))
        config = self._stream_config(asked)
        self._stop_taking(stream)
        stream.config = config
        self._take(stream)
        return stream

    def delete_stream(self, name: str) -> None:
        stream = self.stream(name)
        self._stop_taking(stream)
        for consumer in list(stream.consumers):
            self.delete_consumer(name, consumer)
        del self.store.streams[name]

    def _stream_config(self, asked: dict[str, Any]) -> dict[str, Any]:
        others = (other.config for other in self.store.streams.values() if other.name != asked.get("name"))
        return stream_config(asked, others)

    def _run(self, stream: Stream) -> None:
        self._take(stream)
        self._consumers[stream.name] = {
            name: Consumer(self.server, stream, state) for name, state in stream.consumers.items()
        }

    def _take(self, stream: Stream) -> None:
        intake = self._intakes[stream.name] = Intake(stream, self._store)
        for subject in stream.config["subjects"]:
            self.server.interest.add(subject, intake)

    def _stop_taking(self, stream: Stream) -> None:
        intake = self._intakes.pop(stream.name)
        for subject in stream.config["subjects"]:
            self.server.interest.remove(subject, intake)

    def _store(self, stream: Stream, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        try:
            sequence, duplicate = publish(stream, subject, headers, payload, self.store.stamp())
            answer = stored_answer(stream, sequence, duplicate=duplicate)
            lost = self.server.faults.drop_confirmation(subject)
        except Refused as refused:
            answer, lost = refused_answer(stream, refused.refusal), False
        if reply and not lost and not stream.config["no_ack"]:
            self.server.publish(reply, "", b"", answer)
        self.dispatch(stream)

    # --- consumers

    def consumer(self, stream: str, name: str) -> Consumer:
        self.stream(stream)
        if name not in self._consumers[stream]:
            raise Refused(errors.CONSUMER_NOT_FOUND)
        return self._consumers[stream][name]

    def create_consumer(self, stream_name: str, name: str, asked: dict[str, Any], action: str) -> Consumer:
        """Return a new consumer, or the one that is there, with what can be changed of it."""
        stream, config = self.stream(stream_name), consumer_config(asked, name)
        if found := self._consumers[stream_name].get(name):
            if action == "create" and found.state.config != config:
                raise Refused(errors.CONSUMER_EXISTS)
            check_update(found.state.config, config)
            found.state.config = config
            return found
        if action == "update":
            raise Refused(errors.CONSUMER_NOT_FOUND)
        state = _beginning(stream, config, self.store.stamp())
        stream.consumers[name] = state
        made = self._consumers[stream_name][name] = Consumer(self.server, stream, state)
        return made

    def delete_consumer(self, stream: str, name: str) -> None:
        self.consumer(stream, name).delete()
        del self._consumers[stream][name]
        del self.store.streams[stream].consumers[name]

    def requests(self) -> list[PullRequest]:
        """Return what all consumers were asked for."""
        return [one for known in self._consumers.values() for consumer in known.values() for one in consumer.requests]

    def dispatch(self, stream: Stream) -> None:
        """Deliver what is new."""
        for consumer in self._consumers[stream.name].values():
            consumer.dispatch()


def _beginning(stream: Stream, config: dict[str, Any], created: int) -> ConsumerState:
    first = _first(stream, config)
    state = ConsumerState(config, created, first, 0)
    state.waiting = sum(state.takes(message.subject) for message in stream.every(">", first))
    return state


def _first(stream: Stream, config: dict[str, Any]) -> int:
    match config["deliver_policy"]:
        case "new":
            return stream.last_sequence + 1
        case "last":
            newest = stream.last(config.get("filter_subject") or ">")
            return newest.sequence if newest else stream.last_sequence + 1
        case "by_start_sequence":
            return max(config["opt_start_seq"], stream.first_sequence)
        case "by_start_time":
            return stream.first_since(time_of(config["opt_start_time"]))
        case _:
            return max(stream.first_sequence, 1)
