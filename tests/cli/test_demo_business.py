"""`timokha demo --business` from a pipe: a bot that the owner has connected answers the guest, and asks the owner."""

import subprocess

import pytest

from tests.demos import WITHIN, demo, said

pytest.importorskip("mtproto")
from edge.sandbox.business_types import HAS_BUSINESS

LINES = """\
> /status
Тимоха, привет
> +
>>> no reply
Тимоха, ты тут?
>>> connect
Тимоха, а теперь?
> нет, я занят
>> это правда я
> /disconnect
> /status
"""


@pytest.mark.skipif(not HAS_BUSINESS, reason="pyrogram knows no business connections; kurigram does")
def test_the_owner_approves_in_the_chat_with_the_bot_and_is_told_of_a_missing_right(tmp_path) -> None:
    with demo(tmp_path, "--business", "--owner", stdin=subprocess.PIPE) as process:
        process.stdin.write(LINES.encode())
        process.stdin.close()
        assert process.wait(2 * WITHIN) == 0
    lines = [line for line in said(tmp_path).splitlines() if not line.startswith("timokha: ")]
    typed = [f"owner{line}" if line.startswith(">") else f"you> {line}" for line in LINES.splitlines()]
    assert [line for line in lines if line.startswith(("you> ", "owner>"))] == typed
    assert [line for line in lines if line.startswith("bot")] == ["bot> привет", "bot> нет, я занят"]
    assert lines.index("bot> привет") > lines.index("owner> +")
    drafts = [line for line in lines if "[" in line]
    assert len(drafts) == 2, "each with its buttons"
    refused = lines[lines.index("you> Тимоха, ты тут?") + 1]
    assert refused.startswith("@bot> Вы не разрешили мне отвечать")


@pytest.mark.skipif(HAS_BUSINESS, reason="kurigram is installed")
def test_with_pyrogram_one_line_says_what_to_run(tmp_path) -> None:
    with demo(tmp_path, "--business", stdin=subprocess.DEVNULL) as process:
        assert process.wait(WITHIN) == 2
    [line] = said(tmp_path).splitlines()
    assert "make demo CLIENT=kurigram ARGS=--business" in line
