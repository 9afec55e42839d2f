"""The resources of the Sail Operator, `sailoperator.io/v1`, which are of the whole cluster.

Source: sail-operator main of 2026-08-22: api/v1/istio_types.go, istiocni_types.go; its CRDs were run on an API server.
"""

from collections.abc import Mapping
from typing import Any, Literal

from extcp_manifests.documents.helm import IstiodChartValues
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.model import Model


class IstioSpec(Model):
    """An istiod, or with the profile `remote` what a cluster without one needs."""

    version: str
    namespace: str
    profile: str | None = None
    values: IstiodChartValues | None = None


class Istio(Model):
    """What the operator installs the chart istiod by; its name is the revision of all that it makes."""

    apiVersion: Literal["sailoperator.io/v1"] = "sailoperator.io/v1"
    kind: Literal["Istio"] = "Istio"
    metadata: ObjectMeta
    spec: IstioSpec


class IstioCNISpec(Model):
    """The CNI plugin of all nodes."""

    version: str
    namespace: str
    values: Mapping[str, Any] | None = None


class IstioCNI(Model):
    """What the operator installs the chart cni by; there is one in a cluster, named `default`."""

    apiVersion: Literal["sailoperator.io/v1"] = "sailoperator.io/v1"
    kind: Literal["IstioCNI"] = "IstioCNI"
    metadata: ObjectMeta
    spec: IstioCNISpec
