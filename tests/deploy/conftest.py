"""helm, where it is to be had."""

import platform
import sys

import pytest

from tests.conftest import CI
from tests.deploy.chart import Helm
from tests.deploy.helm import MISSING, find


@pytest.fixture(scope="session")
def helm(tmp_path_factory):
    program = find()
    if program is None:
        ours = sys.platform == "linux" and platform.machine() == "x86_64"
        # A build that skipped these tests would prove nothing.
        (pytest.fail if CI and ours else pytest.skip)(MISSING)
    return Helm(program, tmp_path_factory.mktemp("helm"))
