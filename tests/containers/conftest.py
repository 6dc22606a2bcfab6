"""One running product, which the tests of this folder use one after the other, in the order of their file."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.containers.product import Product, clone, commit, without_an_engine


def pytest_report_header() -> list[str]:
    dirty = subprocess.check_output(["git", "status", "--porcelain"], text=True)
    return [f"containers: commit {commit()}{', without what is not committed' if dirty else ''}"]


@pytest.fixture(scope="session")
def engine() -> str:
    """What runs here, in words."""
    if reason := without_an_engine():
        pytest.skip(reason)
    version = subprocess.check_output(["docker", "version", "--format", "{{.Server.Version}}"], text=True).strip()
    compose = subprocess.check_output(["docker", "compose", "version", "--short"], text=True).strip()
    print(f"containers: commit {commit()}, engine {version}, compose {compose}")
    return version


@pytest.fixture(scope="session")
def product(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A clone, with settings as README says, and a Telegram."""
    made = Product(clone(tmp_path_factory.mktemp("containers") / "timokha"), f"timokha-test-{os.getpid()}")
    made.use_stand_ins()
    yield from used(made)


@pytest.fixture(scope="module")
def newcomer(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A clone and nothing else."""
    made = Product(clone(tmp_path_factory.mktemp("newcomer") / "timokha"), f"timokha-new-{os.getpid()}")
    made.files = ("compose.yaml",)
    yield from used(made)


def used(product: Product) -> Iterator[Product]:
    for line in os.environ.get("CONTAINERS_ENV", "").split():
        name, _, value = line.partition("=")
        product.write_settings(**{name: value})
    yield product
    product.environment["COMPOSE_PROFILES"] = "*"
    product.compose("down", "--volumes", "--remove-orphans", check=False)
    if image := product.environment.get("TELEGRAM_IMAGE"):
        product.run("docker", "rmi", "--force", image, check=False)
