"""Routes of Kubernetes' Gateway API; what this library does not set itself is carried as given."""

from typing import Literal

from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.model import Model


class ParentReference(Model, further_keys=True):
    """The Gateway to which a route attaches, and the port of its listener."""

    name: str
    namespace: str | None = None
    port: int | None = None


class BackendReference(Model, further_keys=True):
    """A Service in the route's namespace, and a port of it."""

    name: str
    port: int | None = None


class RouteRule(Model, further_keys=True):
    """Where requests or connections go."""

    backendRefs: tuple[BackendReference, ...] = ()


class RouteSpec(Model, further_keys=True):
    """The Gateways of a route, the host names for which it is, and where they lead."""

    parentRefs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[RouteRule, ...] = ()


class Route(Model):
    """Where requests or connections for host names go that a Gateway takes: decrypted, or passed through."""

    apiVersion: Literal["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]
    kind: Literal["HTTPRoute", "TLSRoute"]
    metadata: ObjectMeta
    spec: RouteSpec
