"""Sort messages by time, and those of a forum by topic."""

# ruff: noqa: S608 -- only our own column names are put into the queries

from collections.abc import Iterable

from training.data.workspace import Workspace

_MANY = 10
"""A message from before the export began a topic if it has this many direct answers."""
_BEFORE_THE_EXPORT = f"""
INSERT OR IGNORE INTO topics
SELECT chat, reply_to FROM messages AS answer WHERE reply_to > 0 AND reply_row IS NULL
GROUP BY chat, reply_to
HAVING count(*) >= {_MANY} AND reply_to < (SELECT min(id) FROM messages WHERE chat = answer.chat AND id > 0)
"""
_OF_A_TOPIC = "EXISTS (SELECT 1 FROM topics WHERE topics.chat = messages.chat AND id = reply_to)"
_COPIED = "chat, topic, id, author, time, hour, reply_to, text, edited, drop_reason"
_FOLLOWERS = """
CREATE TABLE followers AS
WITH RECURSIVE follower (row, topic) AS (
    SELECT row, topic FROM messages WHERE topic != 0
    UNION ALL
    SELECT messages.row, follower.topic FROM follower CROSS JOIN messages ON messages.reply_row = follower.row
    WHERE messages.topic = 0
) SELECT row, topic FROM follower
"""


def assign_topics(workspace: Workspace, created: Iterable[tuple[int, int]]) -> int:
    """Assign each message to a topic, and return the number of topics with messages. `created`: (chat, id) of topics.

    A message of a topic answers the topic's first message or another message of the topic. The others belong to the
    forum's general topic, 0. In a forum, the answers to a message that is not in the export form a topic of their own,
    because that message may have been in any topic.
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
    """Renumber the messages by chat, then topic, then time and id."""
    database = workspace.database
    database.execute("CREATE TABLE places (row INTEGER PRIMARY KEY, old INTEGER)")
    database.execute("INSERT INTO places (old) SELECT row FROM messages ORDER BY chat, topic, time, id, row")
    database.execute("CREATE UNIQUE INDEX place ON places (old)")
    former = workspace.replace_messages_table()
    # CROSS JOIN keeps this order, so messages are inserted in the order of their numbers.
    database.execute(
        f"INSERT INTO messages (row, reply_row, {_COPIED}) "
        f"SELECT places.row, (SELECT row FROM places AS parent WHERE parent.old = reply_row), {_COPIED} "
        f"FROM places CROSS JOIN {former} ON {former}.row = places.old ORDER BY places.row"
    )
    database.execute(f"DROP TABLE {former}")
    database.execute("DROP TABLE places")
