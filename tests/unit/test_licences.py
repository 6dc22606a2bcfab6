"""docs/licences.md has every locked package with its licence, and each is accepted or has a reason."""

from importlib.metadata import PackageNotFoundError, version

import pytest

from docs import licences
from docs.licences import RULES, is_accepted, problems


@pytest.fixture
def found():
    return licences.found()


def test_the_page_is_up_to_date(found):
    assert licences.PLACE.read_text() == licences.page(found), "run `make docs`"


def test_every_licence_is_accepted_or_has_a_reason(found):
    assert problems(found) == []


def test_what_is_stated_of_an_installed_package_is_what_it_says():
    for name, stated in RULES["stated"].items():
        try:
            version(name)
        except PackageNotFoundError:
            continue
        assert licences.from_metadata(name) in {stated, None, "LGPL-3.0-only"}, name


def test_a_licence_without_a_reason_is_a_problem():
    assert problems({"new": "AGPL-3.0-only"} | dict.fromkeys(RULES["exceptions"], "MPL-2.0")) == [
        "new: AGPL-3.0-only is not accepted: do without it, or give the reason in docs/licences.toml"
    ]


def test_a_package_without_a_licence_is_a_problem():
    (line,) = problems({"new": None} | dict.fromkeys(RULES["exceptions"], "MPL-2.0"))
    assert line == "new: not installed, or without a licence: look it up, and state it in docs/licences.toml"


def test_a_reason_that_is_not_needed_is_a_problem():
    lines = problems(dict.fromkeys(RULES["exceptions"], "MPL-2.0") | {"tqdm": "MIT"})
    assert lines == ["tqdm: its reason is not needed any more: remove it in docs/licences.toml"]


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("(MIT OR Apache-2.0)", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception", True),
        ("LGPL-3.0-only", False),
    ],
)
def test_of_alternatives_one_must_do_and_of_a_combination_all(expression, accepted):
    assert is_accepted(expression) is accepted
