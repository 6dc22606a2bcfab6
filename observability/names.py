"""All names that telemetry uses, in one place: most of the conventions are still in Development and change.

Sources: https://opentelemetry.io/docs/specs/semconv/messaging/ and https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from events.subjects import destination
from events.transport import Channel

SCOPE = "timokha"

# Messaging systems. `nats` and `telegram` are custom values, as the convention allows.
NATS = "nats"
RABBITMQ = "rabbitmq"
TELEGRAM = "telegram"

ANONYMOUS = "(anonymous)"
"""Destination of messages to queues that the broker has named: too many to tell apart."""

# Operations: `messaging.operation.name`, and the first word of a span's name.
SEND = "send"
RECEIVE = "receive"
PROCESS = "process"
CHAT = "chat"
QUEUE = "queue"
"""Not one of the convention's: the time from an event's publication to a delivery."""

# Steps of the edge, each a span of that name.
STORE_QUESTION = "store question"
AWAIT_TURN = "await turn"
START_ANSWER = "start answer"
AWAIT_ANSWER = "await answer"
DROP_QUESTION = "drop question"
AWAIT_APPROVAL = "await approval"
DELIVER_ANSWER = "deliver answer"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION_NAME = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_DESTINATION_TEMPLATE = "messaging.destination.template"
MESSAGING_CONSUMER_GROUP_NAME = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID = "messaging.message.id"
MESSAGING_MESSAGE_CONVERSATION_ID = "messaging.message.conversation_id"
MESSAGING_RABBITMQ_ROUTING_KEY = "messaging.rabbitmq.destination.routing_key"

GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_K = "gen_ai.request.top_k"
GEN_AI_REQUEST_TOP_P = "gen_ai.request.top_p"
GEN_AI_REQUEST_SEED = "gen_ai.request.seed"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
GEN_AI_INPUT_MESSAGES = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - the name of an attribute

ERROR_TYPE = "error.type"

REQUEST_ID = "timokha.request_id"
ATTEMPT = "timokha.attempt"
PART = "timokha.part"
DRAWS = "timokha.draws"
OUTCOME = "timokha.outcome"
REASON = "timokha.reason"

# Metrics with a conventional name.
SEND_DURATION = "messaging.client.operation.duration"
PROCESS_DURATION = "messaging.process.duration"
SENT_MESSAGES = "messaging.client.sent.messages"
CONSUMED_MESSAGES = "messaging.client.consumed.messages"
TIME_TO_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105 - the name of a metric
TIME_PER_OUTPUT_TOKEN = "gen_ai.server.time_per_output_token"  # noqa: S105 - the name of a metric
CHAT_DURATION = "gen_ai.client.operation.duration"
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - the name of a metric

UPTIME = "process.uptime"

# Metrics of ours.
ANSWER_DURATION = "timokha.answer.duration"
QUEUE_DURATION = "timokha.queue.duration"
FLOOD_WAIT_DURATION = "timokha.flood_wait.duration"
CATCH_UP_SIZE = "timokha.catch_up.size"
IN_FLIGHT = "timokha.in_flight"
RETRIES = "timokha.retries"
REDRAWS = "timokha.redraws"
DEADLETTERS = "timokha.deadletters"
BUSY_IGNORED = "timokha.busy_ignored"
SILENCED = "timokha.silenced"
CONNECTED = "timokha.connected"


def span_name(operation: str, target: str) -> str:
    """Return a span's name: an operation and its target (a destination or a model)."""
    return f"{operation} {target}"


def subject_template(channel: Channel) -> str:
    """Return the template of the channel's NATS subjects."""
    reader = ".{reader}" if channel is Channel.FEEDBACK else ""
    return f"{destination(channel)}.{{account}}.{{chat}}.{{message}}.{{revision}}{reader}"
