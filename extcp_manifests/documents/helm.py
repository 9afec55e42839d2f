"""Values of Istio's Helm charts istiod (istiod-remote up to 1.23), base and cni.

The charts accept every key that they do not know, so these types name what this library sets; the values of the chart
gateway are `documents.istio_operator.GatewayChartValues`.
"""

from collections.abc import Mapping
from typing import Any

from extcp_manifests.documents.istio_operator import BaseValues, GlobalValues, IstiodRemoteValues, PilotValues
from extcp_manifests.documents.mesh_config import MeshConfig
from extcp_manifests.documents.model import Model


class IstiodChartValues(Model, further_keys=True):
    """Values of the chart istiod, for istiod itself or with the profile `remote` for a cluster without it."""

    profile: str | None = None
    revision: str | None = None
    defaultRevision: str | None = None
    global_: GlobalValues | None = None
    meshConfig: MeshConfig | None = None
    pilot: PilotValues | None = None
    istiodRemote: IstiodRemoteValues | None = None
    base: BaseValues | None = None
    sidecarInjectorWebhook: Mapping[str, Any] | None = None


class BaseChartValues(Model, further_keys=True):
    """Values of the chart base: Istio's definitions, and what all control planes of a cluster share."""

    defaultRevision: str | None = None
    global_: GlobalValues | None = None
    base: BaseValues | None = None


class CNIChartValues(Model, further_keys=True):
    """Values of the chart cni."""

    global_: GlobalValues | None = None
