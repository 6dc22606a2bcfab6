"""Whether Kubernetes and KEDA would take a manifest, by their published schemas."""

import kubernetes_validate
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from pydantic import ValidationError

OLDEST, NEWEST = "1.29", "1.37"
"""The oldest is the chart's kubeVersion."""


def faults(manifest):
    """Why it would be refused, or nothing."""
    if manifest["apiVersion"].startswith("keda.sh/"):
        return _keda(manifest)
    found = ""
    for version in (OLDEST, NEWEST):
        found = found or _kubernetes(manifest, version)
    return found


def _kubernetes(manifest, version):
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return f"Kubernetes {version}: {error.message}"
    return ""


def _keda(manifest):
    try:
        model = ScaledObject.model_validate(manifest)
    except ValidationError as error:
        return f"KEDA: {error}"
    # The model drops what it does not know.
    kept = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return "" if kept == manifest else f"KEDA knows only {kept}"
