"""JetStream's API: requests under `$JS.API.` and their answers in JSON.

Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.simulation.nats import errors
from tests.simulation.nats.consumers import Consumer
from tests.simulation.nats.errors import Refused
from tests.simulation.nats.store import text_of
from tests.simulation.nats.streams import Message, Stream
from tests.simulation.nats.subjects import matcher

if TYPE_CHECKING:
    from tests.simulation.nats.jetstream import JetStream

PREFIX = "$JS.API."
MOST_SUBJECTS = 100_000
"""Subjects in a page of STREAM.INFO."""

Answer = dict[str, Any]
Operation = Callable[[list[str], dict[str, Any]], Answer]


class Api:
    """Listens under each operation that there is; others have no responders."""

    queue = ""

    def __init__(self, jetstream: "JetStream") -> None:
        self._jetstream, self._server = jetstream, jetstream.server
        self._operations: dict[str, Operation] = {
            "INFO": self._account,
            "STREAM.CREATE.*": self._create_stream,
            "STREAM.UPDATE.*": self._update_stream,
            "STREAM.DELETE.*": self._delete_stream,
            "STREAM.INFO.*": self._stream_info,
            "STREAM.NAMES": self._stream_names,
            "STREAM.LIST": self._stream_list,
            "STREAM.PURGE.*": self._purge,
            "STREAM.MSG.GET.*": self._get_message,
            "STREAM.MSG.DELETE.*": self._delete_message,
            "CONSUMER.CREATE.*.>": self._create_consumer,
            "CONSUMER.DURABLE.CREATE.*.*": self._create_durable,
            "CONSUMER.INFO.*.*": self._consumer_info,
            "CONSUMER.DELETE.*.*": self._delete_consumer,
            "CONSUMER.NAMES.*": self._consumer_names,
            "CONSUMER.LIST.*": self._consumer_list,
        }

    def listen(self) -> None:
        for pattern, operation in self._operations.items():
            self._server.interest.add(PREFIX + pattern, _Listener(self, pattern, operation))

    def answer(self, kind: str, operation: Operation, tokens: list[str], payload: bytes) -> bytes:
        answer: Answer = {"type": f"io.nats.jetstream.api.v1.{kind}_response"}
        try:
            if self._server.faults.refuse_request():
                raise Refused(errors.NO_LEADER)
            answer |= operation(tokens, _json(payload))
        except Refused as refused:
            answer["error"] = refused.refusal.as_dict()
        return json.dumps(answer).encode()

    # --- the account and its streams

    def _account(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        streams = self._jetstream.store.streams.values()
        unlimited = ("max_memory", "max_storage", "max_streams", "max_consumers", "max_ack_pending")
        return {
            "memory": 0,
            "storage": sum(stream.bytes for stream in streams),
            "streams": len(streams),
            "consumers": sum(len(stream.consumers) for stream in streams),
            "limits": dict.fromkeys((*unlimited, "memory_max_stream_bytes", "storage_max_stream_bytes"), -1)
            | {"max_bytes_required": False},
            "api": {"level": 1, "total": 0, "errors": 0},
        }

    def _create_stream(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return {**self._info(self._jetstream.create_stream(asked)), "did_create": True}

    def _update_stream(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return self._info(self._jetstream.update_stream(asked))

    def _delete_stream(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        self._jetstream.delete_stream(tokens[0])
        return {"success": True}

    def _stream_info(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        answer = {"total": 0, "offset": 0, "limit": 0, **self._info(self._jetstream.stream(tokens[0]))}
        if pattern := asked.get("subjects_filter"):
            answer |= self._page(self._jetstream.stream(tokens[0]), pattern, asked.get("offset") or 0, answer["state"])
        return answer

    def _page(self, stream: Stream, pattern: str, offset: int, state: Answer) -> Answer:
        """Add the page's subjects to `state`; return where it is."""
        subjects = stream.subjects(pattern)
        if not subjects:
            return {}
        state["subjects"] = dict(list(subjects.items())[offset : offset + MOST_SUBJECTS])
        return {"total": len(subjects), "offset": offset, "limit": MOST_SUBJECTS}

    def _info(self, stream: Stream) -> Answer:
        state = {
            "messages": len(stream),
            "bytes": stream.bytes,
            "first_seq": stream.first_sequence,
            "first_ts": text_of(stream.first_stamp),
            "last_seq": stream.last_sequence,
            "last_ts": text_of(stream.last_stamp),
            "num_subjects": stream.subject_count,
            "consumer_count": len(stream.consumers),
        }
        if len(stream):
            state["num_deleted"] = stream.last_sequence + 1 - stream.first_sequence - len(stream)
        now = text_of(self._jetstream.store.now())
        return {"config": stream.config, "created": text_of(stream.created), "ts": now, "state": state}

    def _stream_names(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        streams = self._streams(asked.get("subject"))
        return _listed("streams", [stream.name for stream in streams], asked)

    def _stream_list(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return _listed("streams", [self._info(stream) for stream in self._streams(asked.get("subject"))], asked)

    def _streams(self, subject: str | None) -> list[Stream]:
        streams = sorted(self._jetstream.store.streams.values(), key=lambda stream: stream.name)
        return [
            stream
            for stream in streams
            if subject is None or any(matcher(pattern)(subject) for pattern in stream.config["subjects"])
        ]

    # --- messages

    def _get_message(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        stream = self._jetstream.stream(tokens[0])
        match asked:
            case {"next_by_subj": pattern}:
                found = stream.next(asked.get("seq") or 0, pattern)
            case {"last_by_subj": pattern} if not asked.get("seq"):
                found = stream.last(pattern)
            case {"seq": int(sequence), **rest} if sequence and not rest:
                found = stream.get(sequence)
            case _:
                raise Refused(errors.BAD_REQUEST)
        if found is None:
            raise Refused(errors.NO_MESSAGE)
        return {"message": _message(found)}

    def _delete_message(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        if not asked:
            raise Refused(errors.BAD_REQUEST)
        stream = self._jetstream.stream(tokens[0])
        if stream.config["deny_delete"]:
            raise Refused(errors.not_deleted("message delete not permitted"))
        sequence = asked.get("seq", 0)
        if sequence > stream.last_sequence:
            raise Refused(errors.not_deleted("stream store EOF"))
        if not stream.remove(sequence):
            between = sequence > stream.first_sequence and not asked.get("no_erase")
            raise Refused(errors.not_there(sequence) if between else errors.not_deleted("no message found"))
        return {"success": True}

    def _purge(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        stream = self._jetstream.stream(tokens[0])
        below, keep = asked.get("seq") or 0, asked.get("keep") or 0
        if stream.config["deny_purge"]:
            raise Refused(errors.PURGE_DENIED)
        if below and keep:
            raise Refused(errors.BAD_REQUEST)
        return {"success": True, "purged": stream.purge(asked.get("filter") or ">", below=below, keep=keep)}

    # --- consumers

    def _create_consumer(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        made = self._jetstream.create_consumer(tokens[0], tokens[1], asked["config"], asked.get("action") or "")
        return self._consumer(made)

    def _create_durable(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return self._create_consumer(tokens, asked)

    def _consumer_info(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return self._consumer(self._jetstream.consumer(*tokens))

    def _delete_consumer(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        self._jetstream.delete_consumer(*tokens)
        return {"success": True}

    def _consumer_names(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        return _listed("consumers", sorted(self._jetstream.stream(tokens[0]).consumers), asked)

    def _consumer_list(self, tokens: list[str], asked: dict[str, Any]) -> Answer:
        names = sorted(self._jetstream.stream(tokens[0]).consumers)
        return _listed("consumers", [self._consumer_info([tokens[0], name], {}) for name in names], asked)

    def _consumer(self, consumer: Consumer) -> Answer:
        consumer.forget_gone()
        state = consumer.state
        return {
            "stream_name": consumer.stream.name,
            "name": state.name,
            "created": text_of(state.created),
            "config": state.config,
            "delivered": {"consumer_seq": state.delivered, "stream_seq": max(state.next - 1, 0)},
            "ack_floor": {"consumer_seq": state.floor[0], "stream_seq": state.floor[1]},
            "num_ack_pending": len(state.pending),
            "num_redelivered": sum(pending.deliveries > 1 for pending in state.pending.values()),
            "num_waiting": len(consumer.requests),
            "num_pending": state.waiting,
        }


class _Listener:
    """What listens under one operation."""

    queue = ""

    def __init__(self, api: Api, pattern: str, operation: Operation) -> None:
        self._api, self._operation = api, operation
        words = [word for word in pattern.split(".") if word not in ("*", ">")]
        self._from = len(words) + 2
        self._kind = "_".join(words).lower() if len(words) > 1 else "account_info"

    def take(self, subject: str, reply: str, headers: bytes, payload: bytes) -> None:
        answer = self._api.answer(self._kind, self._operation, subject.split(".")[self._from :], payload)
        if reply and not self._api._server.faults.drop_answer(subject.removeprefix(PREFIX)):
            self._api._server.publish(reply, "", b"", answer)


def _json(payload: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(payload or b"{}")
    except ValueError:
        raise Refused(errors.BAD_REQUEST) from None
    if not isinstance(asked, dict):
        raise Refused(errors.BAD_REQUEST)
    return asked


def _listed(name: str, entries: list[Any], asked: dict[str, Any]) -> Answer:
    offset = min(asked.get("offset") or 0, len(entries))
    return {"total": len(entries), "offset": offset, "limit": 1024, name: entries[offset : offset + 1024]}


def _message(found: Message) -> Answer:
    answer: Answer = {"subject": found.subject, "seq": found.sequence}
    if found.headers:
        answer["hdrs"] = b64encode(found.headers).decode()
    if found.payload:
        answer["data"] = b64encode(found.payload).decode()
    return {**answer, "time": text_of(found.stamp)}
