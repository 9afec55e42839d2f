"""What all documents share, and the Kubernetes kinds among them.

A document is a frozen value. Its attributes are the manifest's keys in the order in which they are written; a key that
is a Python keyword has an underscore behind it (`global_`). None means absent: it is not written. Empty text, False
and empty collections are written. Models with `extra="allow"` carry further keys as given, explicit nulls included.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from extcp_manifests.documents.lookup import mapping_of, text_of

Plain = Mapping[str, "Plain"] | list["Plain"] | tuple["Plain", ...] | str | int | float | bool | None
"""What YAML and JSON can hold."""


class Model(BaseModel):
    """Base of every document and its parts: frozen, strict about keys, and silent about values in its errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.removesuffix("_"),
        validate_by_name=True,
        validate_by_alias=True,
    )

    def plain(self) -> dict[str, Any]:
        """Return the document as mappings, lists and scalars, in the order of its keys; secrets are laid open."""
        plain: dict[str, Any] = {}
        for attribute, value in self.__dict__.items():
            if value is not None:
                key = attribute if attribute[-1] != "_" else attribute[:-1]
                plain[key] = value if type(value) in _SCALARS else _plain(value)
        extra = self.__pydantic_extra__
        if extra:
            plain |= _plain(extra)
        return plain


def _plain(value: Any) -> Any:
    """Return a value of a document as plain data.

    A plan of a thousand clusters makes every document anew, so most values are recognized by their very type.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is tuple or kind is list:
        return [_plain(item) for item in value]
    if isinstance(value, Model):
        return value.plain()
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: item if type(item) in _SCALARS else _plain(item) for key, item in value.items()}
    return value


_SCALARS = frozenset({str, bool, int, float, type(None)})


class ObjectMeta(Model, extra="allow"):
    """Name, namespace, labels and annotations of an object."""

    name: str | None = None
    namespace: str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None


class Namespace(Model):
    """A namespace; its labels say which network it is in and whether pods get a sidecar."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["Namespace"] = "Namespace"
    metadata: ObjectMeta


class ServiceAccount(Model):
    """An account of a workload."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["ServiceAccount"] = "ServiceAccount"
    metadata: ObjectMeta


class Secret(Model):
    """A Secret whose values no repr shows."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    metadata: ObjectMeta
    type: str | None = None
    stringData: Mapping[str, SecretStr] | None = None


class EnvVar(Model, extra="allow"):
    """An environment variable of a container."""

    name: str
    value: str | None = None


class ServicePort(Model, extra="allow"):
    """A port of a Service."""

    name: str | None = None
    port: int
    targetPort: int | None = None


class ServiceSpec(Model, extra="allow"):
    """What a Service offers, and to which pods it leads."""

    type: str | None = None
    ports: tuple[ServicePort, ...] | None = None
    selector: Mapping[str, str] | None = None


class Service(Model):
    """A Service, the name and address of a set of pods."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["Service"] = "Service"
    metadata: ObjectMeta
    spec: ServiceSpec


class LabelSelector(Model):
    """The labels that pods must have."""

    matchLabels: Mapping[str, str]


class ContainerPort(Model):
    """A port that a container listens on."""

    containerPort: int


class ResourceRequirements(Model):
    """The CPU and memory that a container asks for."""

    requests: Mapping[str, str] | None = None


class VolumeMount(Model, extra="allow"):
    """Where a container sees a volume."""

    name: str
    mountPath: str


class Container(Model):
    """A container of a pod."""

    name: str
    image: str
    command: tuple[str, ...] | None = None
    imagePullPolicy: str | None = None
    resources: ResourceRequirements | None = None
    ports: tuple[ContainerPort, ...] | None = None
    volumeMounts: tuple[VolumeMount, ...] | None = None


class SecretVolumeSource(Model):
    """A volume of the values of a Secret; a pod waits for the Secret unless it is optional."""

    secretName: str
    optional: bool | None = None


class ConfigMapVolumeSource(Model):
    """A volume of the values of a ConfigMap."""

    name: str


class Volume(Model, extra="allow"):
    """Files for the containers of a pod."""

    name: str
    secret: SecretVolumeSource | None = None
    configMap: ConfigMapVolumeSource | None = None


class PodSpec(Model):
    """What a pod consists of."""

    terminationGracePeriodSeconds: int | None = None
    serviceAccountName: str | None = None
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] | None = None


class PodTemplateSpec(Model):
    """The pods that a Deployment makes."""

    metadata: ObjectMeta
    spec: PodSpec


class DeploymentSpec(Model):
    """How many pods of which form there are to be."""

    replicas: int
    selector: LabelSelector
    template: PodTemplateSpec


class Deployment(Model):
    """A Deployment, which keeps a number of like pods running."""

    apiVersion: Literal["apps/v1"] = "apps/v1"
    kind: Literal["Deployment"] = "Deployment"
    metadata: ObjectMeta
    spec: DeploymentSpec


# ------------------------------------------------------------------------------------------------------------ identity


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object of a cluster a document describes.

    The version of its API is not part of that: kubectl applies `v1` and `v1beta1` of the same name to one object.
    """

    group: str
    """The API group; empty for Kubernetes' core, or where apiVersion says none."""
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Kind, namespace and name for people, as in `Gateway istio-system/gw`; empty where it has none."""
        name = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.kind} {name}".strip()


def identity_of(document: Any, group: str | None = None) -> Identity:
    """Return which object a plain document describes, whatever its shape; parts that it lacks are empty.

    A group is given by those who know better than apiVersion, as for a document without one.
    """
    head = mapping_of(document)
    metadata = mapping_of(head.get("metadata"))
    if group is None:
        group = text_of(head.get("apiVersion")).rpartition("/")[0]
    parts = (head.get("kind"), metadata.get("namespace"), metadata.get("name"))
    return Identity(group, *(str(part) if part else "" for part in parts))


def document_name(document: Any) -> str:
    """Return the kind, namespace and name of a plain document for people; empty where it has none."""
    return str(identity_of(document))
