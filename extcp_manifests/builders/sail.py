"""The same installations as resources of the Sail Operator, made of the values of Istio's charts.

Their CRDs took them on an API server (sail-operator release-1.25 to release-1.30, main of 2026-08-22); the operator
itself was read, not run.
"""

from typing import Any

from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.helm import CNIChartValues, IstiodChartValues
from extcp_manifests.documents.sail import Istio, IstioCNI


class IstioResource(Builder[Istio]):
    """The Istio resource that installs what the values of the chart istiod do.

    The operator takes the revision from the name, and installs the chart base only for the name `default`.
    """

    values: Builder[IstiodChartValues]
    name: str
    namespace: str
    version: str
    """A patch, such as `v1.24.6`, or a minor's newest one, `v1.24-latest`."""
    hub: str | None = None
    """The registry of the images; None for those that the operator was built with, whatever the values name."""

    def _document(self) -> Istio:
        values = _without_hub(self.values.build().plain(), self.hub)
        spec: dict[str, Any] = {"version": self.version, "namespace": self.namespace}
        if "profile" in values:
            spec["profile"] = values.pop("profile")
        spec["values"] = {key: value for key, value in values.items() if key not in _SET_BY_THE_OPERATOR}
        return Istio.from_plain({"metadata": {"name": self.name}, "spec": spec})


_SET_BY_THE_OPERATOR = ("revision", "defaultRevision")
"""Values that follow from the name (sail-operator main: pkg/revision/values.go)."""


class IstioCNIResource(Builder[IstioCNI]):
    """The IstioCNI resource that installs what the values of the chart cni do; its name is always `default`."""

    values: Builder[CNIChartValues]
    namespace: str
    version: str
    hub: str | None = None
    """The registry of the images; None for those that the operator was built with."""

    def _document(self) -> IstioCNI:
        spec: dict[str, Any] = {"version": self.version, "namespace": self.namespace}
        if values := _without_hub(self.values.build().plain(), self.hub):
            spec["values"] = values
        return IstioCNI.from_plain({"metadata": {"name": "default"}, "spec": spec})


def _without_hub(values: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    """Return values of a chart with the registry only where it is wanted."""
    shared = {key: value for key, value in values.get("global", {}).items() if key != "hub" or wanted is not None}
    others = {key: value for key, value in values.items() if key != "global"}
    return {"global": shared, **others} if shared else others
