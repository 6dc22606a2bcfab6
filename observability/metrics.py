"""The metrics' instruments, and methods that record. Attributes never contain ids: each value is a time series."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from opentelemetry.metrics import Histogram, Meter

from events.runtime.clock import Clock
from events.schema import FailureReason, Timings, Usage
from observability import names

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""The convention's buckets end at 10 s; a question may take as long as its deadline."""
PER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
SIZES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384)


class Metrics:
    """All instruments of one process. Durations are in seconds."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._clock = clock
        self._send = _seconds(meter, names.SEND_DURATION, "Publishing one event, confirmation included")
        self._process = _seconds(meter, names.PROCESS_DURATION, "Handling one delivery")
        self._chat = _seconds(meter, names.CHAT_DURATION, "One generation")
        self._answer = _seconds(meter, names.ANSWER_DURATION, "From the question's arrival to the last part sent")
        self._queue = _seconds(meter, names.QUEUE_DURATION, "From an event's publication to its first delivery")
        self._flood_wait = _seconds(meter, names.FLOOD_WAIT_DURATION, "Waits that Telegram asked for")
        self._first_token = _seconds(meter, names.TIME_TO_FIRST_TOKEN, "Reading the prompt, up to the first token")
        self._per_token = meter.create_histogram(
            names.TIME_PER_OUTPUT_TOKEN, "s", "Each further token", explicit_bucket_boundaries_advisory=PER_TOKEN
        )
        self._catch_up = meter.create_histogram(
            names.CATCH_UP_SIZE,
            "{message}",
            "Messages that one catch-up brought",
            explicit_bucket_boundaries_advisory=SIZES,
        )
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE, "{token}", "Tokens read and written", explicit_bucket_boundaries_advisory=TOKENS
        )
        self._sent = meter.create_counter(names.SENT_MESSAGES, "{message}", "Events published, refused ones too")
        self._consumed = meter.create_counter(names.CONSUMED_MESSAGES, "{message}", "Deliveries taken")
        self._in_flight = meter.create_up_down_counter(names.IN_FLIGHT, "{message}", "Deliveries in hand now")
        self._retries = meter.create_counter(names.RETRIES, "{message}", "Deliveries that were not the first")
        self._redraws = meter.create_counter(names.REDRAWS, "{draw}", "Answers drawn again: empty, or said before")
        self._deadletters = meter.create_counter(names.DEADLETTERS, "{message}", "Requests given up")
        self._busy = meter.create_counter(names.BUSY_IGNORED, "{message}", "Questions ignored while busy")
        self._silenced = meter.create_counter(names.SILENCED, "{message}", "Questions without an answer by a rule")
        self._connected = meter.create_up_down_counter(
            names.CONNECTED, "{person}", "Persons who have connected the bot"
        )

    def record_finished(self, took: timedelta, outcome: str) -> None:
        """Record how long a question took; `outcome` from a small fixed set, e.g. `answered`, `failed`, `expired`."""
        # The clock may have been set back.
        self._answer.record(max(0.0, took.total_seconds()), {names.OUTCOME: outcome})

    def record_flood_wait(self, wait: timedelta) -> None:
        self._flood_wait.record(wait.total_seconds())

    def count_dead_letter(self, reason: FailureReason) -> None:
        self._deadletters.add(1, {names.REASON: reason.value})

    def count_busy_ignored(self) -> None:
        self._busy.add(1)

    def count_silenced(self, reason: str) -> None:
        """Count a question that a rule of the owner's leaves without an answer, e.g. `paused`."""
        self._silenced.add(1, {names.REASON: reason})

    def count_connected(self, change: int) -> None:
        """Count persons who have connected the bot, or `change` below 0, who have left."""
        self._connected.add(change)

    def record_catch_up(self, messages: int) -> None:
        """Record how many messages a catch-up fetched."""
        self._catch_up.record(messages)

    def record_generation(self, timings: Timings, output_tokens: int, attributes: Mapping[str, str]) -> None:
        """Record how fast a generation was, if its engine reports it."""
        if timings.prompt > 0:
            self._first_token.record(timings.prompt, attributes)
        if output_tokens > 1 and timings.generation > 0:
            self._per_token.record(timings.generation / (output_tokens - 1), attributes)

    def count_redraw(self, reason: str, attributes: Mapping[str, str]) -> None:
        """Count an answer that is drawn again; `attributes` are those of its span's name."""
        self._redraws.add(1, {**attributes, names.REASON: reason})

    def record_tokens(self, usage: Usage, attributes: Mapping[str, str]) -> None:
        """Record the tokens of a generation; `attributes` are those of its span's name."""
        self._tokens.record(usage.input_tokens, {**attributes, names.GEN_AI_TOKEN_TYPE: "input"})
        self._tokens.record(usage.output_tokens, {**attributes, names.GEN_AI_TOKEN_TYPE: "output"})

    @contextmanager
    def measure_send(self, attributes: Mapping[str, str]) -> Iterator[None]:
        """Count and time the publication of an event."""
        self._sent.add(1, attributes)
        with self._timed(self._send, attributes):
            yield

    @contextmanager
    def measure_process(self, attributes: Mapping[str, str], *, attempt: int, waited: timedelta) -> Iterator[None]:
        """Count and time the processing of a delivery, `waited` after its event was published."""
        self._consumed.add(1, attributes)
        if attempt > 1:
            self._retries.add(1, attributes)
        else:
            # The clocks of two machines may differ by more than the wait.
            self._queue.record(max(0.0, waited.total_seconds()), attributes)
        self._in_flight.add(1, attributes)
        try:
            with self._timed(self._process, attributes):
                yield
        finally:
            self._in_flight.add(-1, attributes)

    @contextmanager
    def measure_chat(self, attributes: Mapping[str, str]) -> Iterator[None]:
        """Time a generation."""
        with self._timed(self._chat, attributes):
            yield

    @contextmanager
    def _timed(self, histogram: Histogram, attributes: Mapping[str, str]) -> Iterator[None]:
        began = self._clock.monotonic()
        failed: dict[str, str] = {}
        try:
            yield
        except BaseException as error:
            failed = {names.ERROR_TYPE: error_type(error)}
            raise
        finally:
            histogram.record(self._clock.monotonic() - began, {**attributes, **failed})


def error_type(error: BaseException) -> str:
    """Return the class's name: an error's message may contain a user's text."""
    return type(error).__qualname__


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=SECONDS)
