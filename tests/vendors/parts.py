"""Every private part of a vendor's that the product uses, with the shape that it relies on.

The vendor of a part has an upper bound in pyproject.toml. Before you raise it, or a locked version, read what has
changed in these parts.
"""

from dataclasses import dataclass

from tests.vendors.uses import Use


@dataclass(frozen=True)
class Part:
    """What `path` leads to; `x()` in it is a call without arguments.

    `shape` gives the parameters of a function, or the name of a value's type. `only` names the Telegram
    client that has it.
    """

    path: str
    shape: str
    only: str = ""


def _reads(file: str, *parts: Part) -> dict[Use, list[Part]]:
    return {Use(file, "reads", part.path.rpartition(".")[2]): [part] for part in parts}


def _patches(file: str, *parts: Part) -> dict[Use, list[Part]]:
    return {Use(file, "patches", part.path): [part] for part in parts}


def _items(file: str, dictionary: Part, *items: str) -> dict[Use, list[Part]]:
    return {Use(file, "patches", f"{dictionary.path}[{item}]"): [dictionary] for item in items}


NATS, STREAMS = "nats.aio.client.Client", "nats.aio.client.Client().jetstream()"
TELEGRAM = "edge/userbot/telegram"
SESSION, STORAGE = "pyrogram.session.Session", "pyrogram.storage.sqlite_storage"
PASSES = "openvino._offline_transformations"

SESSION_PARTS = [
    Part(f"{SESSION}.handle_packet", "self, packet"),
    Part(f"{SESSION}.invoke", "self, query, retries, timeout, sleep_threshold", only="pyrogram"),
    Part(f"{SESSION}.invoke", "self, query, retries, timeout, sleep_threshold, retry_delay", only="kurigram"),
    Part(f"{SESSION}.ping_worker", "self"),
    Part(f"{SESSION}.recv_worker", "self"),
    Part(f"{SESSION}.restart", "self"),
    Part(f"{SESSION}.send", "self, data, wait_response, timeout"),
    Part(f"{SESSION}.start", "self"),
    Part(f"{SESSION}.stop", "self"),
    Part("pyrogram.session.session.Result().event", "Event"),
    Part("pyrogram.session.session.Result().value", "NoneType"),
]
"""What `MendedSession` puts into the client's session, and what it takes of it."""

USED: dict[Use, list[Part]] = {
    **_reads(
        "events/jetstream/api.py",
        Part(f"{STREAMS}._api_request", "req_subject, req, timeout"),
        Part(f"{STREAMS}._nc", "Client"),
        Part(f"{STREAMS}._prefix", "str"),
        Part(f"{STREAMS}._timeout", "int"),
    ),
    **_reads(
        "events/jetstream/client.py",
        Part(f"{NATS}._build_message", "self, sid, subject, reply, data, headers"),
        Part(f"{NATS}._connect_command", "self"),
        Part(f"{NATS}()._inbox_prefix", "bytearray"),
        Part(f"{NATS}._process_err", "self, err_msg"),
        Part(f"{NATS}._process_op_err", "self, e"),
        Part(f"{NATS}._send_publish", "self, subject, reply, payload, payload_size, headers"),
        Part(f"{NATS}()._server_info", "dict"),
    ),
    Use("events/jetstream/listening.py", "reads", "_id"): [
        # What it is made with; it can't be made without a client.
        Part(
            "nats.aio.subscription.Subscription.__init__",
            "self, conn, id, subject, queue, cb, future, max_msgs, pending_msgs_limit, pending_bytes_limit",
        ),
    ],
    **_reads("events/jetstream/log.py", Part(f"{NATS}._parse_header_lines", "raw")),
    **_patches(
        "events/rabbitmq/client.py",
        Part("aio_pika.abc.UnderlayChannel.create", "connection, close_callback, kwargs"),
        Part("aio_pika.abc.UnderlayChannel.close", "self, exc"),
        Part("pamqp.commands.Connection.Close.__repr__", "self"),
    ),
    **_items("events/rabbitmq/client.py", Part("pamqp.decode.METHODS", "dict"), "'shortstr'", "'table'", "'timestamp'"),
    **_reads("events/settings.py", Part("pydantic_settings.EnvSettingsSource._load_env_vars", "self")),
    **_patches(
        f"{TELEGRAM}/client_differences.py",
        Part("pyrogram.Client.server_time", "property", only="kurigram"),
        Part("pyrogram.session.internals.MsgFactory.allocate_message_identity", "self", only="kurigram"),
        Part("pyrogram.session.internals.MsgId.__new__", "cls"),
    ),
    **_patches(
        f"{TELEGRAM}/pyrogram_repairs.py",
        Part("pyrogram.Client.fetch_peers", "self, peers"),
        Part("pyrogram.connection.Connection.MAX_CONNECTION_ATTEMPTS", "int"),
        Part("pyrogram.connection.Connection.close", "self"),
        Part("pyrogram.connection.Connection.connect", "self"),
        Part("pyrogram.connection.Connection.recv", "self"),
        Part("pyrogram.connection.Connection.send", "self, data"),
        Part("pyrogram.crypto.mtproto.unpack", "b, session_id, auth_key, auth_key_id"),
        Part("pyrogram.errors.RPCError.__init__", "self, value, rpc_name, is_unknown, is_signed"),
        Part(f"{STORAGE}.SQLiteStorage.get_peer_by_id", "self, peer_id"),
        Part(f"{STORAGE}.SQLiteStorage.update_peers", "self, peers"),
    ),
    Use(f"{TELEGRAM}/pyrogram_repairs.py", "patches", "pyrogram.client.ainput"): [
        Part("pyrogram.client.ainput", "prompt, hide", only="pyrogram"),
        Part("pyrogram.client.ainput", "prompt, hide, loop", only="kurigram"),
    ],
    Use(f"{TELEGRAM}/pyrogram_session.py", "patches", SESSION): SESSION_PARTS,
    # New attributes, which the client must not have itself.
    Use(f"{TELEGRAM}/pyrogram_session.py", "patches", f"{SESSION}.retrying"): [],
    Use(f"{TELEGRAM}/pyrogram_session.py", "patches", f"{SESSION}.server_time"): [],
    **_items(f"{TELEGRAM}/quick_storage.py", Part(STORAGE, "module"), "'inspect'"),
    **_items(
        f"{TELEGRAM}/server.py", Part("pyrogram.crypto.rsa.server_public_keys", "dict"), "fingerprint(key.m, key.e)"
    ),
    **_patches(f"{TELEGRAM}/server.py", Part("pyrogram.connection.transport.TCP.connect", "self, address")),
    **_patches(
        f"{TELEGRAM}/updates.py",
        Part("pyrogram.utils.MIN_CHANNEL_ID", "int", only="pyrogram"),
        Part("pyrogram.utils.MIN_CHAT_ID", "int", only="pyrogram"),
    ),
    **_reads(
        "functions/generate/engines/openvino/export/attention.py",
        Part("transformers.PretrainedConfig()._attn_implementation", "NoneType"),
    ),
    Use("functions/generate/engines/openvino/library.py", "imports", PASSES): [
        Part(f"{PASSES}.apply_make_stateful_transformation", "builtin_function_or_method"),
        Part(f"{PASSES}.paged_attention_transformation", "builtin_function_or_method"),
    ],
    **_reads("training/fit/trainer.py", Part("transformers.Trainer._save_checkpoint", "self, model, trial")),
}
