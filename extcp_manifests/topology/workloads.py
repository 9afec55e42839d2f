"""What pods of istiod and of the shared gateway are like, and their Service; each is a piece of an IstioOperator."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, GetPydanticSchema, PlainValidator, StrictInt, StrictStr

from extcp_manifests.builders.address import WEBHOOK_PORT
from extcp_manifests.documents.name_forms import why_not_dns_subdomain
from extcp_manifests.topology.inputs import Part, matching
from extcp_manifests.topology.names import (
    GatewayName,
    NamespaceName,
    plain_mapping,
    why_not_hub,
    why_not_tag,
)

Texts = Mapping[StrictStr, StrictStr]

Plain = Annotated[Mapping[str, Any], PlainValidator(plain_mapping, json_schema_input_type=dict[str, Any])]
"""Plain data that is checked where it is used."""


MOST_PODS = 2**31 - 1
"""What Kubernetes can count."""


OVERRIDES = (
    "For all else, a piece of the IstioOperator's spec, or of the chart's values with install: helm; it cannot undo "
    "what is set here."
)


class Autoscaling(Part):
    """How many pods there are, by load."""

    min: Annotated[StrictInt, Field(ge=1, le=MOST_PODS, description="The least number of pods.")]
    max: Annotated[StrictInt, Field(ge=1, le=MOST_PODS, description="The greatest number of pods.")]


class Resources(Part):
    """CPU and memory of a container."""

    requests: Annotated[Texts, Field(description="What is kept for it, such as cpu: 500m.")] = {}
    limits: Annotated[Texts, Field(description="The most that it gets, such as memory: 4Gi.")] = {}


class Workload(Part):
    """How pods are run."""

    replicas: Annotated[
        Annotated[StrictInt, Field(ge=1, le=MOST_PODS)] | None,
        Field(description="How many pods there are; autoscaling is switched off then."),
    ] = None
    autoscaling: Annotated[Autoscaling | None, Field(description="How many pods there are, by load.")] = None
    env: Annotated[Texts, Field(description="Further variables of the container.")] = {}
    resources: Annotated[Resources | None, Field(description="CPU and memory of the container.")] = None
    node_selector: Annotated[Texts, Field(description="Labels of the nodes for the pods.")] = {}
    tolerations: Annotated[
        Sequence[Plain],
        GetPydanticSchema(lambda _source, handler: handler(tuple[Plain, ...])),
        Field(description="Taints of nodes that the pods tolerate, as Kubernetes has them."),
    ] = ()
    affinity: Annotated[Plain, Field(description="Affinity of the pods, as Kubernetes has it.")] = {}
    pod_annotations: Annotated[Texts, Field(description="Further annotations of the pods.")] = {}
    priority_class_name: Annotated[
        Annotated[StrictStr, matching(why_not_dns_subdomain)] | None, Field(description="PriorityClass of the pods.")
    ] = None
    pod_disruption_budget: Annotated[
        Plain, Field(description="How many pods may be away, as Kubernetes has it, such as minAvailable: 1.")
    ] = {}
    hub: Annotated[
        Annotated[StrictStr, matching(why_not_hub)] | None,
        Field(description="The registry of its image alone; spec.hub if left out."),
    ] = None
    tag: Annotated[
        Annotated[StrictStr, matching(why_not_tag)] | None,
        Field(description="The tag of its image alone; spec.tag if left out."),
    ] = None
    overrides: Annotated[Plain, Field(description=OVERRIDES)] = {}


class ServiceSettings(Part):
    """The Service of the shared gateway, or of istiod where there is no gateway."""

    type: Annotated[
        Literal["LoadBalancer", "NodePort", "ClusterIP"] | None, Field(description="LoadBalancer if left out.")
    ] = None
    annotations: Annotated[Texts, Field(description="What a cloud's load balancer is told.")] = {}
    load_balancer_ip: Annotated[StrictStr | None, Field(description="The address that the load balancer takes.")] = None
    load_balancer_source_ranges: Annotated[
        Sequence[StrictStr],
        GetPydanticSchema(lambda _source, handler: handler(tuple[StrictStr, ...])),
        Field(description="Networks from which the load balancer takes connections, as in 10.0.0.0/8."),
    ] = ()
    external_traffic_policy: Annotated[
        Literal["Cluster", "Local"] | None, Field(description="Local keeps the addresses of clients.")
    ] = None

    def spec(self) -> dict[str, Any]:
        """Return the keys of the Service's spec that are set."""
        return _without_empty(
            {
                "type": self.type,
                "externalTrafficPolicy": self.external_traffic_policy,
                "loadBalancerIP": self.load_balancer_ip,
                "loadBalancerSourceRanges": list(self.load_balancer_source_ranges),
            }
        )


class ServiceOfIstiod(ServiceSettings):
    """The Service by which remote clusters reach istiod without a gateway."""

    install: Annotated[
        Literal["none"] | None, Field(description="none for a Service that is there already; written if left out.")
    ] = None


class CNIPlugin(Part):
    """The CNI plugin of the nodes of all remote clusters, for which istiod injects pods."""

    install: Annotated[
        Literal["none"] | None,
        Field(description="none where it is there already; what sets up clusters installs it if left out."),
    ] = None
    namespace: Annotated[
        NamespaceName | None,
        Field(description="Its namespace; kube-system if left out, and istio-cni with install: sail."),
    ] = None


class Istiod(Workload):
    """The external istiod."""

    service: Annotated[
        ServiceOfIstiod | None,
        Field(
            description="A Service by which remote clusters reach istiod, instead of a gateway; istiod ends TLS then."
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the piece of the IstioOperator's spec that says all this.

        Rendered by istioctl 1.18.7, 1.20.8 and 1.31: without `autoscaleEnabled: false` the Deployment has no replicas,
        and `autoscaleMin` makes the chart's own budget for disruptions too, which it has from 1.28 for several pods.
        """
        piece: dict[str, Any] = {}
        if k8s := _k8s(self):
            piece["components"] = {"pilot": {"k8s": k8s}}
        if values := _without_empty({"hub": self.hub, "tag": self.tag, **_scaling(self)}):
            piece["values"] = {"pilot": values}
        return piece


class SharedGateway(Workload):
    """The ingress gateway of the external cluster, through which remote clusters reach istiod."""

    namespace: Annotated[NamespaceName, Field(description="Namespace of the gateway and of its own istiod.")] = (
        "istio-system"
    )
    name: Annotated[GatewayName, Field(description="Name of the gateway.")] = "istio-ingressgateway"
    install: Annotated[
        Literal["none"] | None,
        Field(description="none for a gateway that is there already; what installs istiod installs it if left out."),
    ] = None
    selector: Annotated[
        Texts,
        Field(description="With install: none, the labels of its pods, if not those of its name."),
    ] = {}
    api: Annotated[
        Literal["istio", "kubernetes"],
        Field(
            description="With install: none, kubernetes for a Gateway of the Gateway API, with listeners for 15012 and "
            "webhookPort; by host name, from Istio 1.16, and from 1.30 with tlsTermination: istiod."
        ),
    ] = "istio"
    service: Annotated[ServiceSettings | None, Field(description="The gateway's Service.")] = None
    webhook_port: Annotated[
        Annotated[StrictInt, Field(ge=1, le=65535)],
        Field(
            description="Port of the Service at which API servers reach webhooks, by host name alone, such as 443 "
            "where a load balancer has no other."
        ),
    ] = WEBHOOK_PORT

    def as_there_already(self) -> "SharedGateway":
        """Return the gateway as one that nothing installs."""
        return SharedGateway(
            namespace=self.namespace,
            name=self.name,
            install="none",
            selector=self.selector,
            api=self.api,
            webhook_port=self.webhook_port,
        )

    def settings(self) -> dict[str, Any]:
        """Return the piece of the IstioOperator's spec that says all this.

        Rendered by istioctl 1.18.7, 1.20.8 and 1.31. The values are those of the chart of all ingress gateways; there
        is just this one.
        """
        k8s = _k8s(self)
        if self.service is not None:
            if self.service.annotations:
                k8s["serviceAnnotations"] = dict(self.service.annotations)
            if service := self.service.spec():
                k8s["service"] = service
        piece: dict[str, Any] = {}
        if k8s:
            piece["components"] = {"ingressGateways": [{"name": self.name, "k8s": k8s}]}
        if scaling := _scaling(self):
            piece["values"] = {"gateways": {"istio-ingressgateway": scaling}}
        return piece


def _k8s(workload: Workload) -> dict[str, Any]:
    """Return the block `k8s` of a component."""
    resources: dict[str, Any] = {}
    if workload.resources is not None:
        resources = {"requests": dict(workload.resources.requests), "limits": dict(workload.resources.limits)}
    settings = {
        "replicaCount": workload.replicas,
        "env": [{"name": name, "value": value} for name, value in workload.env.items()],
        "resources": _without_empty(resources),
        "nodeSelector": dict(workload.node_selector),
        "tolerations": [dict(each) for each in workload.tolerations],
        "affinity": workload.affinity,
        "podAnnotations": dict(workload.pod_annotations),
        "priorityClassName": workload.priority_class_name,
        "podDisruptionBudget": workload.pod_disruption_budget,
    }
    return _without_empty(settings)


def _scaling(workload: Workload) -> dict[str, Any]:
    """Return the values of a chart that say how many pods there are."""
    if workload.replicas is not None:
        return {"autoscaleEnabled": False}
    if workload.autoscaling is not None:
        return {"autoscaleMin": workload.autoscaling.min, "autoscaleMax": workload.autoscaling.max}
    return {}


def _without_empty(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value not in (None, {}, [])}
