"""A model's weights lie in large pages where the system has them, as the owner's own settings of glibc allow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.generate.engines.openvino.process import ModelProcess, with_huge_pages

_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ALLOCATE = "held = bytearray(16 << 20); print(open('/proc/self/smaps').read())"


def _are_for_who_asks() -> bool:
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    knows = name == "glibc" and tuple(map(int, version.split(".")[:2])) >= (2, 35)
    return knows and _ENABLED.exists() and "[madvise]" in _ENABLED.read_text()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "glibc.malloc.hugetlb=1"),
        ("", "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.check=3", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
        ("glibc.malloc.hugetlb=2:glibc.malloc.check=3", "glibc.malloc.hugetlb=2:glibc.malloc.check=3"),
    ],
)
def test_the_owners_own_word_holds(given: str | None, expected: str) -> None:
    environment = {"HOME": "/"} if given is None else {"HOME": "/", "GLIBC_TUNABLES": given}
    assert with_huge_pages(environment) == {"HOME": "/", "GLIBC_TUNABLES": expected}


def test_the_process_that_steps_a_model_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []
    popen = subprocess.Popen

    def noted(*arguments: object, env: dict[str, str], **options: object) -> object:
        started.append(env)
        return popen(*arguments, env=env, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", noted)
    ModelProcess().drop()
    assert [env["GLIBC_TUNABLES"] for env in started] == [with_huge_pages(os.environ)["GLIBC_TUNABLES"]]


@pytest.mark.skipif(not _are_for_who_asks(), reason="no huge pages for whoever asks, or an older glibc, or none")
def test_a_process_that_asks_gets_them() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _ALLOCATE], env=with_huge_pages({}), capture_output=True, text=True, check=True
    ).stdout
    assert any("hg" in line.split() for line in told.splitlines() if line.startswith("VmFlags"))
