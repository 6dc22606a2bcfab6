"""Sort messages by time, and those of a forum by topic."""

# ruff: noqa: S608 -- what is put into the queries are our own names of columns

from collections.abc import Iterable

from training.data.workspace import Workspace

_MANY = 10
"""So many direct answers to a message from before the export: it began a topic."""
_BEFORE_THE_EXPORT = f"""
INSERT OR IGNORE INTO topics
SELECT chat, reply_to FROM messages AS answer WHERE reply_to > 0 AND reply_row IS NULL
GROUP BY chat, reply_to
HAVING count(*) >= {_MANY} AND reply_to < (SELECT min(id) FROM messages WHERE chat = answer.chat AND id > 0)
"""
_OF_A_TOPIC = "EXISTS (SELECT 1 FROM topics WHERE topics.chat = messages.chat AND id = reply_to)"
_CARRIED = "chat, topic, id, author, time, hour, reply_to, text, edited, fate"
_FOLLOWERS = """
CREATE TABLE followers AS
WITH RECURSIVE follower (row, topic) AS (
    SELECT row, topic FROM messages WHERE topic != 0
    UNION ALL
    SELECT messages.row, follower.topic FROM follower CROSS JOIN messages ON messages.reply_row = follower.row
    WHERE messages.topic = 0
) SELECT row, topic FROM follower
"""


def find_topics(workspace: Workspace, created: Iterable[tuple[int, int]]) -> int:
    """Give each message its topic, and return how many topics have messages; `created`: (chat, id) of their beginnings.

    A message of a topic answers the topic's first message or one that is of the topic itself. What answers neither is
    of the forum's general topic, 0. In a forum the parent that an answer lost is a topic for all that answer it: it may
    have been of any.
    """
    database = workspace.database
    database.execute("CREATE TABLE topics (chat INTEGER, id INTEGER, PRIMARY KEY (chat, id)) WITHOUT ROWID")
    database.executemany("INSERT OR IGNORE INTO topics VALUES (?, ?)", created)
    database.execute(_BEFORE_THE_EXPORT)
    if not workspace.count("SELECT count(*) FROM topics"):
        return 0
    lost = "reply_to IS NOT NULL AND reply_row IS NULL AND chat IN (SELECT chat FROM topics)"
    database.execute(f"UPDATE messages SET topic = reply_to WHERE {lost}")
    database.execute(f"UPDATE messages SET topic = reply_to, reply_to = NULL, reply_row = NULL WHERE {_OF_A_TOPIC}")
    database.execute("CREATE INDEX by_reply ON messages (reply_row) WHERE reply_row IS NOT NULL")
    database.execute(_FOLLOWERS)
    database.execute("CREATE UNIQUE INDEX follower ON followers (row)")
    database.execute(
        "UPDATE messages SET topic = (SELECT topic FROM followers WHERE followers.row = messages.row) "
        "WHERE topic = 0 AND row IN (SELECT row FROM followers)"
    )
    return workspace.count(
        "SELECT count(*) FROM (SELECT DISTINCT chat, topic FROM messages WHERE topic != 0) AS used "
        "JOIN topics ON topics.chat = used.chat AND topics.id = used.topic"
    )


def sort_messages(workspace: Workspace) -> None:
    """Number the messages anew: one chat after the other, in it one topic after the other, in it by time and id."""
    database = workspace.database
    database.execute("CREATE TABLE places (row INTEGER PRIMARY KEY, old INTEGER)")
    database.execute("INSERT INTO places (old) SELECT row FROM messages ORDER BY chat, topic, time, id, row")
    database.execute("CREATE UNIQUE INDEX place ON places (old)")
    former = workspace.messages_anew()
    # CROSS JOIN keeps this order: what is written in order is read by its number.
    database.execute(
        f"INSERT INTO messages (row, reply_row, {_CARRIED}) "
        f"SELECT places.row, (SELECT row FROM places AS parent WHERE parent.old = reply_row), {_CARRIED} "
        f"FROM places CROSS JOIN {former} ON {former}.row = places.old ORDER BY places.row"
    )
    database.execute(f"DROP TABLE {former}")
    database.execute("DROP TABLE places")
