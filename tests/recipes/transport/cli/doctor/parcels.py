"""Examine parcels."""

from cli.doctor.findings import Finding, ok


def examine_parcels(limit: int) -> list[Finding]:
    return [ok(f"up to {limit} parcels")]
