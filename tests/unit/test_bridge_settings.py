"""What the bridge can and can't be told."""

import pytest

from bridge.settings import BridgeSettings
from events.errors import SettingsError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in BridgeSettings.model_fields:
        monkeypatch.delenv(BridgeSettings.variable(name), raising=False)


@pytest.mark.parametrize(
    ("given", "inbound", "outbound"),
    [
        ({}, None, "timokha.requests"),
        ({"codec": "original"}, None, "rpc_queue"),
        ({"direction": "in"}, "timokha.requests", None),
        ({"direction": "in", "codec": "original", "request_queue": "q"}, "q", None),
        ({"direction": "both", "in_queue": "a", "out_queue": "b"}, "a", "b"),
    ],
)
def test_each_direction_has_its_queue(given, inbound, outbound) -> None:
    settings = BridgeSettings.read(**given)
    assert (settings.inbound, settings.outbound) == (inbound, outbound)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"direction": "both"}, "BRIDGE_IN_QUEUE and BRIDGE_OUT_QUEUE are both needed"),
        ({"direction": "both", "in_queue": "a"}, "BRIDGE_IN_QUEUE and BRIDGE_OUT_QUEUE are both needed"),
        ({"direction": "both", "in_queue": "a", "out_queue": "a"}, "got 'a' twice, which is a loop"),
        ({"direction": "up"}, "BRIDGE_DIRECTION: got 'up', it takes out"),
        ({"codec": "xml"}, "BRIDGE_CODEC: got 'xml', it takes events or original"),
        ({"prefetch": "0"}, "BRIDGE_PREFETCH: got '0', it takes requests in flight"),
        ({"deadline": "0"}, "BRIDGE_DEADLINE: got '0', it takes seconds"),
    ],
)
def test_a_bad_setting_is_one_line_that_says_what_it_takes(given, complaint) -> None:
    with pytest.raises(SettingsError) as caught:
        BridgeSettings.read(**given)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
