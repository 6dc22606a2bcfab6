"""The userbot on a machine whose clock is wrong: it answers, and says so in one line."""

from datetime import timedelta

import pytest

from tests.clocks import SteppedClock

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SLOW = [pytest.param(ahead, marks=pytest.mark.slow) for ahead in (MINUTE, -MINUTE, -20 * MINUTE, DAY, -DAY)]


@pytest.mark.parametrize("ahead", [20 * MINUTE, *SLOW], ids=str)
async def test_a_machine_whose_clock_is_wrong_answers_and_says_so_once(make_product, ahead) -> None:
    # A bot signs in by itself, so that no client here has to live with the wrong time.
    product = await make_product(bot=True, clock=SteppedClock(-ahead))
    visitor = product.visitor()
    product.says(visitor, "Тимоха, привет")
    await product.until(lambda: product.answers(visitor))
    assert product.answers(visitor) == ["привет"]
    assert "too_old" not in product.log("userbot")
    [line] = [line for line in product.log("userbot").splitlines() if "telegram.clock_off" in line]
    seconds = round(ahead.total_seconds())
    near = [
        f"{abs(about)} s {'ahead of' if ahead > timedelta(0) else 'behind'} Telegram"
        for about in range(seconds - 5, seconds + 6)
    ]
    assert any(words in line for words in near)
