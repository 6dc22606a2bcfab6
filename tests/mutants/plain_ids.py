"""A pytest plugin: ids of cases that mutmut can pass back to pytest, of letters, digits and `_`."""

import re


def pytest_make_parametrize_id(val: object) -> str:
    return re.sub(r"\W+", "_", repr(val), flags=re.ASCII)[:40] or "_"
