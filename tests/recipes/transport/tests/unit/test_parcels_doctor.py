"""The doctor looks at parcels too."""

from cli.doctor import command
from cli.settings import DoctorSettings


async def test_parcels_are_examined(monkeypatch) -> None:
    async def none(*_):
        return []

    monkeypatch.setattr(command, "examine_nats", none)
    findings = await command.examine(DoctorSettings.read(parts="none", parcels_limit=3))
    assert "up to 3 parcels" in [finding.text for finding in findings]
