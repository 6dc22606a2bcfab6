"""The version of this program."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str | None:
    """Return the version that is installed, None in a copy of the code that is not installed."""
    try:
        return version("timokha")
    except PackageNotFoundError:
        return None
