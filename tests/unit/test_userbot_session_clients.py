"""A session file that one of the two clients has made, in the hands of the other."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from pyrogram.storage.sqlite_storage import SQLiteStorage

from edge.userbot.telegram.session_file import account_of
from tests.unit.test_userbot_session import client, made, wrong

PYROGRAM, KURIGRAM = 3, 7
"""Versions of their files."""
OF_PYROGRAM = """
CREATE TABLE sessions (
    dc_id INTEGER PRIMARY KEY, api_id INTEGER, test_mode INTEGER, auth_key BLOB, date INTEGER NOT NULL, user_id INTEGER,
    is_bot INTEGER
);
CREATE TABLE peers (
    id INTEGER PRIMARY KEY, access_hash INTEGER, type INTEGER NOT NULL, username TEXT, phone_number TEXT,
    last_update_on INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE version (number INTEGER PRIMARY KEY);
"""
ADDED_BY_KURIGRAM = """
ALTER TABLE sessions ADD server_address TEXT;
ALTER TABLE sessions ADD port INTEGER;
CREATE TABLE usernames (id INTEGER, username TEXT, FOREIGN KEY (id) REFERENCES peers(id));
CREATE TABLE update_state (id INTEGER PRIMARY KEY, pts INTEGER, qts INTEGER, date INTEGER, seq INTEGER);
"""
OF_KURIGRAM = OF_PYROGRAM.replace("username TEXT, ", "") + ADDED_BY_KURIGRAM
PEER = (2, 77, "user", "anna", None)


@pytest.mark.parametrize(
    ("version", "schema"),
    [(PYROGRAM, OF_PYROGRAM), (KURIGRAM, OF_PYROGRAM + ADDED_BY_KURIGRAM), (KURIGRAM, OF_KURIGRAM)],
    ids=["pyrogram's", "pyrogram's, used by kurigram", "kurigram's"],
)
def test_a_session_file_is_used_by_both_clients_whichever_made_it_and_used_it_last(tmp_path, version, schema) -> None:
    path = made(tmp_path / "owner.session", version=version, schema=schema)
    assert wrong(path) == []
    assert asyncio.run(_used(client(path))) == 77
    assert wrong(path) == []
    assert account_of(path) == 7
    with closing(sqlite3.connect(path)) as file, file:  # what pyrogram does with it next
        file.execute("REPLACE INTO peers (id, access_hash, type, username, phone_number) VALUES (?, ?, ?, ?, ?)", PEER)
        assert file.execute("SELECT id FROM peers WHERE username = 'anna'").fetchone() == (2,)


async def _used(opened) -> int:
    """Let the installed client open the file and store a peer; return the access hash that it has of it then."""
    storage = opened.storage
    await storage.open()
    has_usernames = SQLiteStorage.VERSION < KURIGRAM
    await storage.update_peers([PEER if has_usernames else (*PEER[:3], PEER[4])])
    await storage.save()
    peer = await storage.get_peer_by_id(PEER[0])
    await storage.close()
    return peer.access_hash
