"""The same installations as values of Istio's Helm charts, made of the IstioOperators.

Rendered with Helm 3.17 from the charts of istio 1.24.6, 1.28.10 and 1.30.3, where they give what istioctl does
(tests/test_helm.py); of 1.20.8 and 1.23.6 the external istiod alone was compared.
"""

from collections.abc import Mapping
from typing import Any

from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.helm import BaseChartValues, IstiodChartValues
from extcp_manifests.documents.istio_operator import GatewayChartValues, IstioOperator
from extcp_manifests.documents.lookup import at, items_of, mapping_of
from extcp_manifests.istio.operator.merging import overlay
from extcp_manifests.istio.releases import Release, find_release


class IstiodChart(Builder[IstiodChartValues]):
    """Values of the chart istiod, or istiod-remote up to 1.23, that install what an IstioOperator does."""

    release: Release | str
    operator: Builder[IstioOperator]
    validation_policy: str | None = None
    """What becomes of configuration while istiod is away, where `helm upgrade` would otherwise forget it."""

    def _document(self) -> IstiodChartValues:
        spec = self.operator.build().plain()["spec"]
        values = overlay(mapping_of(spec.get("values")), mapping_of(spec.get("unvalidatedValues")))
        shared = {**mapping_of(values.get("global")), **_images(spec)}
        pilot = overlay(mapping_of(values.get("pilot")), _pilot(spec))
        whole: dict[str, Any] = {"revision": spec.get("revision")}
        if spec["profile"] != "empty":
            # The chart istiod-remote has no default for it, and the chart base would take `default`.
            whole["defaultRevision"] = values.get("defaultRevision", "")
            if not find_release(self.release).has_istiod_remote_chart:
                whole["profile"] = "remote"
        if shared.get("configCluster"):
            shared["configValidation"] = True  # the default of the charts from 1.22 on
        priority = _k8s(spec, "pilot").get("priorityClassName")
        if priority is not None:
            shared["priorityClassName"] = priority
        whole |= {"global": shared, "meshConfig": spec.get("meshConfig"), "pilot": pilot or None}
        whole |= {key: values.get(key) for key in ("istiodRemote", "base", "istio_cni", "sidecarInjectorWebhook")}
        if self.validation_policy is not None:
            whole["base"] = {**mapping_of(whole["base"]), "validationFailurePolicy": self.validation_policy}
        return IstiodChartValues.from_plain({key: value for key, value in whole.items() if value is not None})


class SharedIstiodChart(Builder[IstiodChartValues]):
    """Values of the chart istiod for the one that the shared gateway has for itself."""

    operator: Builder[IstioOperator]
    namespace: str

    def _document(self) -> IstiodChartValues:
        spec = self.operator.build().plain()["spec"]
        shared = {**mapping_of(at(spec, "values", "global")), "istioNamespace": self.namespace, **_images(spec)}
        return IstiodChartValues.from_plain({"global": shared})


class BaseChart(Builder[BaseChartValues]):
    """Values of the chart base for the cluster of an IstioOperator."""

    operator: Builder[IstioOperator]
    validation_policy: str | None = None
    """As in IstiodChart."""

    def _document(self) -> BaseChartValues:
        spec = self.operator.build().plain()["spec"]
        values = mapping_of(spec.get("values"))
        namespace = at(values, "global", "istioNamespace")
        shared = {"istioNamespace": namespace, **_images(spec)}
        if secrets := at(values, "global", "imagePullSecrets"):
            shared["imagePullSecrets"] = secrets
        shared = {key: value for key, value in shared.items() if value is not None}
        whole: dict[str, Any] = {"global": shared} if shared else {}
        if spec.get("profile") is not None:
            whole["defaultRevision"] = values.get("defaultRevision", "")
        if "base" in values:
            whole["base"] = values["base"]
        if self.validation_policy is not None:
            whole["base"] = {**mapping_of(whole.get("base")), "validationFailurePolicy": self.validation_policy}
        return BaseChartValues.from_plain(whole)


class GatewayChart(Builder[GatewayChartValues]):
    """Values of the chart gateway that install the one gateway of an IstioOperator.

    The chart names everything by the name of its release.
    """

    operator: Builder[IstioOperator]

    def _document(self) -> GatewayChartValues:
        spec = self.operator.build().plain()["spec"]
        gateway = mapping_of(items_of(at(spec, "components", "ingressGateways"))[0])
        k8s = mapping_of(gateway.get("k8s"))
        service = dict(mapping_of(k8s.get("service")))
        service["ports"] = [{**port, "protocol": "TCP"} for port in items_of(service.get("ports"))]
        whole: dict[str, Any] = {
            "service": {"type": "LoadBalancer", **service, "annotations": k8s.get("serviceAnnotations", {})},
            **{key: k8s[key] for key in _SAME_IN_CHARTS if key in k8s},
        }
        if not whole["service"]["annotations"]:
            del whole["service"]["annotations"]
        if "env" in k8s:
            whole["env"] = {each["name"]: each["value"] for each in k8s["env"]}
        whole |= _scaling_of_gateway(k8s, mapping_of(at(spec, "values", "gateways", "istio-ingressgateway")))
        shared = mapping_of(at(spec, "values", "global"))
        if "platform" in shared:
            whole["platform"] = shared["platform"]
        if "imagePullPolicy" in shared:
            whole["imagePullPolicy"] = shared["imagePullPolicy"]
        if "imagePullSecrets" in shared:
            whole["imagePullSecrets"] = [{"name": name} for name in shared["imagePullSecrets"]]
        return GatewayChartValues.from_plain(whole)


_SAME_IN_CHARTS = (
    "resources",
    "nodeSelector",
    "tolerations",
    "affinity",
    "podAnnotations",
    "priorityClassName",
    "podDisruptionBudget",
)


def _scaling_of_gateway(k8s: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    if "replicaCount" in k8s:
        return {"replicaCount": k8s["replicaCount"], "autoscaling": {"enabled": False}}
    if "autoscaleMin" in values:
        return {
            "autoscaling": {
                "enabled": True,
                "minReplicas": values["autoscaleMin"],
                "maxReplicas": values["autoscaleMax"],
            }
        }
    return {}


def _images(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: spec[key] for key in ("hub", "tag") if key in spec}


def _k8s(spec: Mapping[str, Any], component: str) -> Mapping[str, Any]:
    return mapping_of(at(spec, "components", component, "k8s"))


def _pilot(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of istiod's chart for the settings that are in `k8s` of an IstioOperator.

    CLUSTER_ID is not among the variables: the chart makes it of `global.multiCluster.clusterName`, and would have it
    twice (istio 1.15.7 to 1.31: istiod/templates/deployment.yaml, rendered).
    """
    k8s = _k8s(spec, "pilot")
    values: dict[str, Any] = {key: k8s[key] for key in _IN_PILOT if key in k8s}
    variables = {each["name"]: each["value"] for each in items_of(k8s.get("env")) if each["name"] != "CLUSTER_ID"}
    if variables:
        values["env"] = variables
    return values


_IN_PILOT = ("replicaCount", "resources", "nodeSelector", "tolerations", "affinity", "podAnnotations")
