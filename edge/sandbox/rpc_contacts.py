"""Handlers: a user's contacts. They are known by the names that the user has given them."""

from edge.sandbox import render
from edge.sandbox.call import Call, Handler, Push
from edge.sandbox.faults import Refusal
from edge.sandbox.state import Account
from edge.sandbox.tl import TLObject, functions, objects, types


def import_contacts(call: Call, query: functions.contacts.ImportContacts) -> TLObject:
    imported = []
    for contact in query.contacts:
        if account := call.state.by_phone(contact.phone):
            call.me.contacts[account.id] = (contact.first_name, contact.last_name)
            imported.append(types.ImportedContact(user_id=account.id, client_id=contact.client_id))
    return types.contacts.ImportedContacts(
        imported=imported,
        popular_invites=[],
        retry_contacts=[],
        users=render.users(call.state, call.me, [contact.user_id for contact in imported]),
    )


def resolve_phone(call: Call, query: functions.contacts.ResolvePhone) -> TLObject:
    """Find a contact. Everybody else hides the number, as it is not shown to strangers either."""
    account = call.state.by_phone(query.phone)
    if account is None or account.id not in call.me.contacts:
        raise Refusal(400, "PHONE_NOT_OCCUPIED")
    return types.contacts.ResolvedPeer(
        peer=types.PeerUser(user_id=account.id), chats=[], users=[render.user(call.state, call.me, account)]
    )


def add_contact(call: Call, query: functions.contacts.AddContact) -> TLObject:
    account = call.peer(query.id)
    if account is call.me:
        raise Refusal(400, "CONTACT_ID_INVALID")
    if not query.first_name.strip():
        raise Refusal(400, "CONTACT_NAME_EMPTY")
    call.me.contacts[account.id] = (query.first_name, query.last_name)
    return _changed(call, [account])


def delete_contacts(call: Call, query: functions.contacts.DeleteContacts) -> TLObject:
    found = [account for peer in objects(query.id) if (account := call.find(peer))]
    accounts = [account for account in found if account.id in call.me.contacts]
    for account in accounts:
        del call.me.contacts[account.id]
    return _changed(call, accounts)


def get_contacts(call: Call, _query: functions.contacts.GetContacts) -> TLObject:
    accounts = [call.state.accounts[id_] for id_ in call.me.contacts]
    return types.contacts.Contacts(
        contacts=[types.Contact(user_id=one.id, mutual=render.is_mutual_contact(call.me, one)) for one in accounts],
        saved_count=len(accounts),
        users=[render.user(call.state, call.me, one) for one in accounts],
    )


def _changed(call: Call, accounts: list[Account]) -> TLObject:
    """Return the updates about contacts; the user's other sessions get them too."""
    updates = types.Updates(
        updates=[
            types.UpdatePeerSettings(peer=types.PeerUser(user_id=one.id), settings=types.PeerSettings())
            for one in accounts
        ],
        users=[render.user(call.state, call.me, one) for one in accounts],
        chats=[],
        date=call.state.now,
        seq=0,
    )
    call.pushes.append(Push(call.me.id, updates, counted=False))
    return updates


HANDLERS: dict[type[TLObject], Handler] = {
    functions.contacts.ImportContacts: import_contacts,
    functions.contacts.ResolvePhone: resolve_phone,
    functions.contacts.AddContact: add_contact,
    functions.contacts.DeleteContacts: delete_contacts,
    functions.contacts.GetContacts: get_contacts,
}
