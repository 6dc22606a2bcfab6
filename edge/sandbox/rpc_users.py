"""Handlers: the server's configuration, and finding users."""

from typing import Any

from edge.sandbox import render, render_groups
from edge.sandbox.call import Call, Handler
from edge.sandbox.centres import CENTRES, MAIN
from edge.sandbox.faults import Refusal
from edge.sandbox.peers import peer
from edge.sandbox.tl import Bool, Result, TLObject, functions, objects, types, vector

CONFIG_LIFETIME = 3600
MESSAGE_LENGTH = 4096
CONFIG_NUMBERS: dict[str, Any] = {
    "chat_size_max": 200,
    "megagroup_size_max": 200_000,
    "forwarded_count_max": 100,
    "online_update_period_ms": 210_000,
    "offline_blur_timeout_ms": 5_000,
    "offline_idle_timeout_ms": 30_000,
    "online_cloud_timeout_ms": 300_000,
    "notify_cloud_delay_ms": 30_000,
    "notify_default_delay_ms": 1_500,
    "push_chat_period_ms": 60_000,
    "push_chat_limit": 2,
    "edit_time_limit": 172_800,
    "revoke_time_limit": 2_147_483_647,
    "revoke_pm_time_limit": 2_147_483_647,
    "rating_e_decay": 2_419_200,
    "stickers_recent_limit": 200,
    "channels_read_media_period": 604_800,
    "call_receive_timeout_ms": 20_000,
    "call_ring_timeout_ms": 90_000,
    "call_connect_timeout_ms": 30_000,
    "call_packet_timeout_ms": 10_000,
    "caption_length_max": 1024,
    "message_length_max": MESSAGE_LENGTH,
    "webfile_dc_id": MAIN,
}
"""The values of Telegram's own servers, as far as clients need them."""


def get_config(call: Call, _query: functions.help.GetConfig) -> TLObject:
    host, port = call.state.address
    now = call.state.now
    return types.Config(
        date=now,
        expires=now + CONFIG_LIFETIME,
        test_mode=False,
        this_dc=call.state.data_centres.of(call.auth_key_id),
        dc_options=[types.DcOption(id=centre, ip_address=host, port=port) for centre in CENTRES],
        dc_txt_domain_name="localhost",
        me_url_prefix="https://t.me/",
        **CONFIG_NUMBERS,
    )


def get_users(call: Call, query: functions.users.GetUsers) -> Result:
    """Return users, without those whom the caller may not address."""
    found = [account for peer in objects(query.id) if (account := call.find(peer))]
    return vector(render.user(call.state, call.me, account) for account in found)


def get_full_user(call: Call, query: functions.users.GetFullUser) -> TLObject:
    account = call.peer(query.id)
    full = types.UserFull(
        id=account.id,
        settings=types.PeerSettings(),
        notify_settings=types.PeerNotifySettings(),
        common_chats_count=0,
    )
    return types.users.UserFull(full_user=full, chats=[], users=render.users(call.state, call.me, [account.id]))


def resolve_username(call: Call, query: functions.contacts.ResolveUsername) -> TLObject:
    account = call.me and call.state.by_username(query.username)
    if group := call.state.group_by_username(query.username):
        chats = render_groups.chats(call.state, call.me, [group.id])
        return types.contacts.ResolvedPeer(peer=peer(group.id), chats=chats, users=[])
    if account is None:
        raise Refusal(400, "USERNAME_NOT_OCCUPIED")
    return types.contacts.ResolvedPeer(
        peer=types.PeerUser(user_id=account.id), chats=[], users=[render.user(call.state, call.me, account)]
    )


def update_status(call: Call, _query: functions.account.UpdateStatus) -> Result:
    return Bool(call.me is not None)


HANDLERS: dict[type[TLObject], Handler] = {
    functions.help.GetConfig: get_config,
    functions.users.GetUsers: get_users,
    functions.users.GetFullUser: get_full_user,
    functions.contacts.ResolveUsername: resolve_username,
    functions.account.UpdateStatus: update_status,
}
