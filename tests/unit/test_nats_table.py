"""docs/security.md says of NATS exactly what deploy/nats-accounts.conf lets each user do."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCOUNTS = (ROOT / "deploy/nats-accounts.conf").read_text()
SECURITY = (ROOT / "docs/security.md").read_text()

COLUMNS = {
    "reads every message of": "$JS.API.STREAM.MSG.GET.",
    "takes from": "$JS.API.CONSUMER.MSG.NEXT.",
    "erases messages of": "$JS.API.STREAM.MSG.DELETE.",
    "removes records of": "$JS.API.STREAM.PURGE.",
    "makes consumers on": "$JS.API.CONSUMER.CREATE.",
    "deletes consumers on": "$JS.API.CONSUMER.DELETE.",
}
LOOKS = ("$JS.API.INFO", "$JS.API.STREAM.INFO.", "$JS.API.CONSUMER.INFO.", "$JS.ACK.", "_R_.>")
"""What the table leaves out: looking at what there is, confirming what was taken, answering who has asked."""


def table():
    """By user, its row."""
    lines = [re.split(r" *\| *", line.strip("| ")) for line in SECURITY.splitlines() if line.startswith("| ")]
    start = next(number for number, line in enumerate(lines) if line[:2] == ["user", "account"])
    head, rows = lines[start], lines[start + 2 : start + 6]
    return {
        row[0].strip("`"): {name: set(re.findall(r"`([^`]+)`", cell)) for name, cell in zip(head, row, strict=False)}
        for row in rows
    }


def account_of(user):
    return re.findall(r"^  ([A-Z]+) \{$", ACCOUNTS[: ACCOUNTS.index(f"user: {user}\n")], re.MULTILINE)[-1]


def allowed(user):
    """The subjects that it may publish to."""
    own = ACCOUNTS[ACCOUNTS.index(f"user: {user}\n") :]
    publish = own[own.index("publish") : own.index("subscribe:")].partition("deny:")[0]
    return set(re.findall(r'"([^"]+)"', publish))


def users():
    return set(re.findall(r"user: (\w+)$", ACCOUNTS, re.MULTILINE))


def test_every_user_but_the_administrator_has_a_row():
    assert set(table()) == users() - {"setup"}


@pytest.mark.parametrize("user", sorted(users() - {"setup"}))
def test_a_row_says_what_the_configuration_lets_that_user_do(user):
    row, rights = table()[user], allowed(user)
    assert row["account"] == {account_of(user)}
    for column, prefix in COLUMNS.items():
        found = {right.removeprefix(prefix) for right in rights if right.startswith(prefix)}
        assert row.get(column, set()) == {re.sub(r"\.timokha\..*", "", right) for right in found}, column
    others = {right for right in rights if not right.startswith((*COLUMNS.values(), *LOOKS))}
    assert row["publishes"] == others


def test_an_account_imports_nothing_that_its_user_may_not_use():
    """All of JetStream's API excepted: the server takes no part of it alone. The rights of the users narrow it."""
    for user in users() - {"setup"}:
        account = account_of(user)
        block = ACCOUNTS[ACCOUNTS.index(f"  {account} {{\n") : ACCOUNTS.index(f"user: {user}\n")]
        imported = set(re.findall(r'service: \{ account: \w+, subject: "([^"]+)"', block)) - {"$JS.API.>"}
        for subject in imported:
            assert any(right.startswith(subject.rstrip("*>")) for right in allowed(user)), (user, subject)
