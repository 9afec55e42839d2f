"""Kubernetes kinds; what this library does not set itself is carried as given."""

from collections.abc import Mapping
from typing import Literal

from extcp_manifests.documents.model import Model


class ObjectMeta(Model, further_keys=True):
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


class ConfigMap(Model):
    """Texts by their keys."""

    apiVersion: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: ObjectMeta
    data: Mapping[str, str] | None = None


class EnvVar(Model, further_keys=True):
    """An environment variable of a container."""

    name: str
    value: str | None = None


class ServicePort(Model, further_keys=True):
    """A port of a Service."""

    name: str | None = None
    port: int
    targetPort: int | None = None


class ServiceSpec(Model, further_keys=True):
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


class VolumeMount(Model, further_keys=True):
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


class Volume(Model, further_keys=True):
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
