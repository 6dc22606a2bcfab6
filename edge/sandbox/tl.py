"""Telegram's type language (TL), as the installed client (pyrogram or kurigram) writes and reads it.

Only this module imports it.
"""

from collections.abc import Iterable
from gzip import compress
from io import BytesIO
from typing import Any

from pyrogram.crypto.prime import CURRENT_DH_PRIME
from pyrogram.raw import functions, types
from pyrogram.raw.all import objects as constructors
from pyrogram.raw.core import Bool, Bytes, GzipPacked, Int, Long, MsgContainer, TLObject, Vector
from pyrogram.utils import compute_password_hash

from edge.userbot.telegram.client_differences import build, callback_data, replied_id, top_id

__all__ = [
    "CURRENT_DH_PRIME",
    "Bool",
    "MsgContainer",
    "Objects",
    "Result",
    "TLObject",
    "UnknownConstructor",
    "build",
    "callback_data",
    "compute_password_hash",
    "container",
    "functions",
    "innermost",
    "method_name",
    "objects",
    "packed",
    "read",
    "replied_id",
    "rpc_result",
    "top_id",
    "types",
    "vector",
]

Objects = list[Any]
"""TL objects for a vector. `Any`, because lists are invariant and pyrogram's element types are unions."""
Result = TLObject | bytes
"""The result of a method: an object, or one that is serialised already (a vector, a Bool)."""


class UnknownConstructor(ValueError):
    """The data has a type or method that the client's layer does not have."""


def read(data: bytes) -> TLObject:
    """Parse one object. Raises UnknownConstructor; on malformed data the parser may raise any error."""
    try:
        return TLObject.read(BytesIO(data))  # type: ignore[no-any-return]
    except KeyError as error:
        raise UnknownConstructor(f"constructor {error.args[0]:#010x}") from None


def objects(values: Iterable[Any]) -> Objects:
    """Return the objects of a parsed vector. pyrogram reads objects of 4 or 8 bytes at a query's end as numbers."""
    return [_from_number(value) if isinstance(value, int) else value for value in values]


def _from_number(value: int) -> TLObject:
    short = -(2**31) <= value < 2**31
    return read(Int(value) if short and (value & 0xFFFFFFFF) in constructors else Long(value))


def vector(items: Iterable[TLObject]) -> bytes:
    return Vector(list(items))


def rpc_result(request_id: int, result: Result, *, gzip: bool = False) -> bytes:
    """`rpc_result#f35c6d01 req_msg_id:long result:Object`."""
    body = result if isinstance(result, bytes) else result.write()
    return Int(types.RpcResult.ID, False) + Long(request_id) + (packed(body) if gzip else body)


def packed(body: bytes) -> bytes:
    """`gzip_packed#3072cfa1 packed_data:bytes = Object`."""
    return Int(GzipPacked.ID, False) + Bytes(compress(body))


def container(*messages: tuple[int, int, bytes]) -> bytes:
    """`msg_container#73f1f8dc messages:vector<%Message>`; a message is its id, its sequence number and its body."""
    parts = [Long(id_) + Int(sequence) + Int(len(body)) + body for id_, sequence, body in messages]
    return Int(MsgContainer.ID, False) + Int(len(parts)) + b"".join(parts)


def method_name(query: TLObject) -> str:
    """Return the name of a query's method, such as `messages.SendMessage`; if it holds a query, of that one's."""
    return innermost(query).QUALNAME.partition(".")[2]


def innermost(query: TLObject) -> TLObject:
    """Return the query that `query` holds, else itself."""
    held = getattr(query, "query", None)
    return held if isinstance(held, TLObject) else query
