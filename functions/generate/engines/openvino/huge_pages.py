"""Pages of 2 MB for a model's weights: a step reads all of them once, and waits for the tables of small pages.

Linux gives them to whoever asks (`/sys/kernel/mm/transparent_hugepage/enabled`, "madvise" by default). OpenVINO does
not ask; glibc, from 2.35, does for whatever it allocates, if a process is started so. Elsewhere this changes nothing.
"""

from collections.abc import Mapping

_NAME = "GLIBC_TUNABLES"
_TUNABLE = "glibc.malloc.hugetlb"


def asked_for(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a process that uses them; what it says of them itself holds."""
    given = [one for one in environment.get(_NAME, "").split(":") if one]
    if not any(one.startswith(f"{_TUNABLE}=") for one in given):
        given.append(f"{_TUNABLE}=1")
    return {**environment, _NAME: ":".join(given)}
