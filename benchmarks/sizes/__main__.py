"""`python -m benchmarks.sizes --users 10000`: what so many users need, how long they wait, and what it costs a month.

The measured figures are those of build/bench.json (`make bench PART=capacity`), else those in docs/scaling.md.
"""

from collections.abc import Iterable

import click

from benchmarks.sizes import sections
from benchmarks.sizes.figures import Measured
from benchmarks.sizes.needs import Assumed
from benchmarks.sizes.prices import Prices


@click.command()
@click.option("--users", multiple=True, type=click.IntRange(1), default=sections.USERS, help="several may be given")
@click.option("--questions", default=Assumed.questions_a_day, help="that a user asks a day", show_default=True)
@click.option("--peak", default=Assumed.peak, help="the busiest hour by the mean hour", show_default=True)
@click.option("--nodes", type=click.Choice(["1", "3"]), default="3", help="of NATS in a cluster", show_default=True)
@click.option("--messages", default=Assumed.messages, help="to Telegram for an answer", show_default=True)
@click.option("--bridged", default=Assumed.bridged, help="share answered on RabbitMQ", show_default=True)
@click.option("--core-hour", default=Prices.core_hour, help="price", show_default=True)
@click.option("--gib-month", default=Prices.gib_month, help="price of memory", show_default=True)
@click.option("--disk-gib-month", default=Prices.disk_gib_month, help="price", show_default=True)
@click.option("--iops-month", default=Prices.sync_second_month, help="price of one", show_default=True)
def main(
    *, users: Iterable[int], questions: float, peak: float, nodes: str, messages: float, bridged: float, **prices: float
) -> None:
    """Print the tables of docs/scaling.md for these USERS."""
    assumed = Assumed(questions, peak, int(nodes), messages=messages, bridged=bridged)
    paid = Prices(prices["core_hour"], prices["gib_month"], prices["disk_gib_month"], prices["iops_month"])
    for name, lines in sections.all_of(Measured.newest(), assumed, paid, list(users)).items():
        click.echo(f"{name}:\n")
        click.echo("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
