"""ExternalSecret of the External Secrets Operator, from its release 0.16 on."""

from collections.abc import Mapping
from typing import Literal

from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.model import Model


class SecretStoreRef(Model, further_keys=True):
    """The store that has the values."""

    name: str
    kind: Literal["ClusterSecretStore", "SecretStore"]


class SecretMetadata(Model):
    """Labels and annotations of the Secret that is made."""

    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None


class SecretTemplate(Model, further_keys=True):
    """What the Secret has besides the values."""

    metadata: SecretMetadata


class SecretTarget(Model, further_keys=True):
    """The Secret that is made."""

    name: str
    template: SecretTemplate


class RemoteRef(Model, further_keys=True):
    """A value of the store."""

    key: str


class SecretValue(Model, further_keys=True):
    """A key of the Secret, and where its value is."""

    secretKey: str
    remoteRef: RemoteRef


class ExternalSecretSpec(Model, further_keys=True):
    """The store, the Secret, and its values."""

    secretStoreRef: SecretStoreRef
    target: SecretTarget
    data: tuple[SecretValue, ...]


class ExternalSecret(Model):
    """A Secret that the operator makes of values in a store, and keeps up to date."""

    apiVersion: Literal["external-secrets.io/v1"] = "external-secrets.io/v1"
    kind: Literal["ExternalSecret"] = "ExternalSecret"
    metadata: ObjectMeta
    spec: ExternalSecretSpec
