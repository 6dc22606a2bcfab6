"""`make audit` says which locked packages have known vulnerabilities, or that it could not look them up."""

import json

import pytest

from deploy import audit

FINE = {"name": "idna", "version": "3.20", "vulns": []}
FIXED = {
    "name": "nkeys",
    "version": "0.2.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2.2"], "aliases": ["CVE-2"]}],
}
UNFIXED = {"name": "yarl", "version": "1.25.1", "vulns": [{"id": "PYSEC-3", "fix_versions": [], "aliases": []}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found"}


def answer(*packages):
    return json.dumps({"dependencies": packages, "fixes": []}), ""


def test_without_a_vulnerability_all_is_well():
    assert audit.judge([answer(FINE)]) == (0, ["1 locked packages looked up, known vulnerabilities: 0"])


def test_a_vulnerability_is_named_with_what_fixes_it():
    assert audit.judge([answer(FINE, FIXED), answer(UNFIXED)]) == (
        1,
        [
            "nkeys 0.2.1: PYSEC-1, CVE-2, fixed in 0.2.2: `make lock`",
            "yarl 1.25.1: PYSEC-3, not fixed yet",
            "3 locked packages looked up, known vulnerabilities: 2",
        ],
    )


def test_a_package_that_is_not_looked_up_is_named():
    code, lines = audit.judge([answer(FINE, UNKNOWN)])
    assert (code, lines[0]) == (0, "torch was not looked up: Dependency not found")


@pytest.mark.parametrize("answered", [answer(UNKNOWN), ("", "requests.exceptions.ConnectionError: no route\n")])
def test_if_nothing_could_be_looked_up_one_line_says_so(answered):
    assert audit.judge([answered]) == (0, [audit.SKIPPED])


def test_another_error_of_the_tool_is_an_error():
    assert audit.judge([("", "usage: pip-audit\nerror: no such option\n")]) == (2, ["error: no such option"])
    assert audit.judge([("", "")]) == (2, ["pip-audit gave no answer"])


def test_each_locked_version_is_asked_about_once():
    lists = audit.locked()
    assert {"nats-py", "torch"} <= {one.partition("==")[0] for one in lists[0]}
    for packages in lists:
        names = [one.partition("==")[0] for one in packages]
        assert sorted(names) == sorted(set(names))
    everything = [one for packages in lists for one in packages]
    assert sorted(everything) == sorted(set(everything))
