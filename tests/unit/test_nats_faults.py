"""The table of what NATS answers: every error that nats-py has is judged, and what is known is known."""

import inspect

import nats.errors
import nats.js.errors
import pytest
from nats.js.errors import APIError, BucketNotFoundError

from events.faults import Fault
from events.jetstream.client import Client, JetStreamOff, NotPermitted
from events.jetstream.faults import classify


def _made(kind: type[Exception]) -> Exception:
    needed = [
        parameter
        for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return kind(*[1] * len(needed))


EVERY = [
    kind
    for module in (nats.errors, nats.js.errors)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_of_the_client_is_judged_in_one_line(kind):
    diagnosis = classify(_made(kind))
    assert diagnosis.reason
    assert "\n" not in str(diagnosis)
    assert "code=" not in diagnosis.reason


@pytest.mark.parametrize(
    ("code", "status", "description", "fault", "advice"),
    [
        (10002, 400, "resource limits exceeded for account", Fault.FATAL, "SETUP_MAX_BYTES"),
        (10005, 400, "no suitable peers for placement", Fault.PASSING, ""),
        (10008, 503, "JetStream system temporarily unavailable", Fault.PASSING, ""),
        (10023, 503, "insufficient resources", Fault.FATAL, "max_file_store"),
        (10028, 500, "insufficient memory resources available", Fault.FATAL, "SETUP_MAX_BYTES"),
        (10039, 503, "JetStream not enabled for account", Fault.FATAL, "enable JetStream"),
        (10047, 500, "insufficient storage resources available", Fault.FATAL, "SETUP_MAX_BYTES"),
        (10059, 404, "stream not found", Fault.FATAL, "timokha setup"),
        (10071, 400, "wrong last sequence: 7", Fault.FINAL, ""),
        (10076, 503, "JetStream not enabled", Fault.FATAL, "enable JetStream"),
        (10077, 503, "maximum bytes exceeded", Fault.PASSING, "SETUP_MAX_BYTES"),
        (10077, 503, "no space left on device", Fault.PASSING, "max_file_store"),
        (10097, 400, "header size exceeds maximum allowed of 64k", Fault.FINAL, ""),
        (None, 503, None, Fault.PASSING, ""),
        (99999, 400, "something new", Fault.UNKNOWN, ""),
        (99999, 500, "something new", Fault.UNKNOWN, ""),
    ],
)
def test_what_the_api_answers_is_judged_by_its_code(code, status, description, fault, advice):
    with pytest.raises(APIError) as answered:
        APIError.from_error({"code": status, "err_code": code, "description": description})
    diagnosis = classify(answered.value)
    assert diagnosis.fault is fault
    assert advice in diagnosis.advice
    assert "NATS_USER" not in str(diagnosis)


def test_refusals_and_a_server_without_jetstream_end_a_process():
    assert classify(NotPermitted("publish to", "x")).fault is Fault.FATAL
    assert classify(JetStreamOff()).fault is Fault.FATAL
    assert classify(ConnectionResetError("reset")).fault is Fault.PASSING
    assert classify(RuntimeError("what")).fault is Fault.UNKNOWN


async def test_refused_subjects_take_no_more_memory_than_is_of_use() -> None:
    class Clocked(Client):
        now = 0.0

    client = Clocked(tls=False)
    client._inbox_prefix = b"_INBOX_test"
    await client._process_err('permissions violation for subscription to "_inbox_test.>"')
    for number in range(1000):
        client.now += 1.0
        await client._process_err(f'permissions violation for publish to "timokha.progress.{number}"')
    assert len(client._refused) < 200
    assert "timokha.progress.999" in client._refused
    with pytest.raises(NotPermitted, match="subscribe to"):
        client.check("anything", since=client.now)


def test_a_bucket_that_is_not_there_is_said_to_be_missing_with_what_to_do() -> None:
    assert str(classify(BucketNotFoundError())).startswith("bucket not found; run `timokha setup`")
