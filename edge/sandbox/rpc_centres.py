"""Handlers: take a sign-in along to another data centre (https://core.telegram.org/api/datacenter)."""

from edge.sandbox import render
from edge.sandbox.call import Call, Handler
from edge.sandbox.centres import CENTRES
from edge.sandbox.faults import Refusal
from edge.sandbox.tl import TLObject, functions, types


def export_authorization(call: Call, query: functions.auth.ExportAuthorization) -> TLObject:
    if query.dc_id not in CENTRES or query.dc_id == call.state.data_centres.of(call.auth_key_id):
        raise Refusal(400, "DC_ID_INVALID")
    id_, secret = call.state.data_centres.export(call.me.id, query.dc_id)
    return types.auth.ExportedAuthorization(id=id_, bytes=secret)


def import_authorization(call: Call, query: functions.auth.ImportAuthorization) -> TLObject:
    exported = call.state.data_centres.take(query.id, query.bytes)
    if exported is None:
        raise Refusal(400, "AUTH_BYTES_INVALID")
    call.state.data_centres.elsewhere[call.auth_key_id] = exported.dc_id
    call.state.logins[call.auth_key_id] = exported.user_id
    return types.auth.Authorization(user=render.user(call.state, call.me, call.me))


HANDLERS: dict[type[TLObject], Handler] = {
    functions.auth.ExportAuthorization: export_authorization,
    functions.auth.ImportAuthorization: import_authorization,
}
