"""deploy/'s configurations of NATS, as servers on this machine take them.

They are here because the storm, which is no part of pytest, finds the modules of its own directory alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path


class ShippedNats:
    """The files of deploy/ as servers of a test take them."""

    def passwords(self, *others: str) -> dict[str, str]:
        """By user. One that looks like a number is a password too."""
        users = ("setup", "userbot", "generate", "bridge", "tools", *others)
        return {user: f"1e{number}" for number, user in enumerate(users)}

    def environment(self, passwords: Mapping[str, str]) -> dict[str, str]:
        """As compose.yaml passes them on."""
        return {f"NATS_{user.upper()}_PASSWORD": f'"{password}"' for user, password in passwords.items()}

    def configured(self, name: str, places: Mapping[str, str] | None = None) -> Callable[[int, Path], str]:
        """`places` are more texts to replace."""
        deploy = Path(__file__).parents[2] / "deploy"

        def configured(port: int, store: Path) -> str:
            text = (deploy / name).read_text()
            own = {
                'include "nats-accounts.conf"': (deploy / "nats-accounts.conf").read_text(),
                "port: 4222": f'listen: "127.0.0.1:{port}"',
                'http: "127.0.0.1:8222"': "",
                "$NATS_STORE_DIR": f'"{store}"',
            }
            for old, new in {**own, **(places or {})}.items():
                assert text.count(old) == 1, f"{name} has {old!r} not once"
                text = text.replace(old, new)
            return text

        return configured
