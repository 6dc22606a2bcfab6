"""Contacts: stock pyrogram over the sandbox."""

import asyncio

import pytest
from pyrogram.errors import ContactIdInvalid, ContactNameEmpty
from pyrogram.raw import functions, types
from pyrogram.types import InputPhoneContact

from edge.sandbox.server import Sandbox
from edge.sandbox.state import Account
from edge.sandbox.visitor import connect

PATIENCE = 10


async def flags(client, name: str) -> tuple[bool, bool]:
    user = await client.get_users(name)
    return user.is_contact, user.is_mutual_contact


async def test_a_contact_is_known_by_the_name_it_was_given_and_is_mutual_once_both_have_each_other(people) -> None:
    anna, boris = people.anna_client, people.boris_client
    assert await flags(anna, "boris") == (False, False)
    assert await anna.get_contacts() == []
    added = await anna.add_contact("boris", "Uncle", "Bo")
    assert (added.id, added.first_name, added.last_name, added.is_contact) == (people.boris.id, "Uncle", "Bo", True)
    assert await flags(anna, "boris") == (True, False)
    assert (await flags(boris, "anna"), (await boris.get_users("anna")).first_name) == ((False, False), "Anna")
    await boris.import_contacts([InputPhoneContact(f"+{people.anna.phone}", "Ann")])
    assert await flags(anna, "boris") == await flags(boris, "anna") == (True, True)
    contacts = await anna.invoke(functions.contacts.GetContacts(hash=0))
    assert [(contact.user_id, contact.mutual) for contact in contacts.contacts] == [(people.boris.id, True)]
    assert [user.first_name for user in await anna.get_contacts()] == ["Uncle"]


async def test_whoever_is_deleted_is_a_contact_no_more(people) -> None:
    anna = people.anna_client
    await anna.add_contact("boris", "Boris")
    deleted = await anna.delete_contacts("boris")
    assert (deleted.id, deleted.is_contact, await anna.get_contacts()) == (people.boris.id, False, [])
    assert await anna.delete_contacts("boris") is None


async def test_oneself_and_somebody_without_a_name_are_not_added(people) -> None:
    with pytest.raises(ContactNameEmpty):
        await people.anna_client.add_contact("boris", " ")
    with pytest.raises(ContactIdInvalid):
        await people.anna_client.add_contact("me", "I")


async def test_every_update_says_whether_its_sender_is_a_contact(
    telegram: Sandbox, anna: Account, boris: Account
) -> None:
    heard: asyncio.Queue = asyncio.Queue()
    async with connect(telegram, anna.phone) as client:
        client.handle_updates = heard.put
        telegram.send(boris.id, anna.id, "one")
        telegram.add_contact(anna.id, boris.id, name="Bo")
        telegram.send(boris.id, anna.id, "two")
        seen = {}
        async with asyncio.timeout(PATIENCE):
            while len(seen) < 2:
                updates = await heard.get()
                users = {user.id: user for user in updates.users}
                seen[updates.updates[0].message.message] = users[boris.id]
        assert [(user.contact, user.first_name) for user in seen.values()] == [(False, "Boris"), (True, "Bo")]
        query = functions.updates.GetDifference(pts=1, date=0, qts=0)
        assert [user.contact for user in (await client.invoke(query)).users if user.id == boris.id] == [True]


async def test_another_session_learns_of_a_contact(telegram: Sandbox, anna: Account, boris: Account) -> None:
    heard: asyncio.Queue = asyncio.Queue()
    async with connect(telegram, anna.phone) as one, connect(telegram, anna.phone) as other:
        other.handle_updates = heard.put
        await one.add_contact("boris", "Bo")
        updates = await asyncio.wait_for(heard.get(), PATIENCE)
    assert isinstance(updates.updates[0], types.UpdatePeerSettings)
    assert [(user.id, user.contact) for user in updates.users] == [(boris.id, True)]
