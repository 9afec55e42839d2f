"""The Secrets by which istiod reaches the API servers of remote clusters.

Source: istio 1.15.7 and 1.30.3: istioctl/pkg/multicluster/remote_secret.go.
"""

from base64 import b64encode
from typing import Literal

from pydantic import SecretStr

from extcp_manifests import yaml
from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.external_secrets import (
    ExternalSecret,
    ExternalSecretSpec,
    RemoteRef,
    SecretMetadata,
    SecretStoreRef,
    SecretTarget,
    SecretTemplate,
    SecretValue,
)
from extcp_manifests.documents.kubernetes import ObjectMeta
from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN, stand_in
from extcp_manifests.documents.secret import Secret
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.releases import Release, find_release, first_release_with

READER = "istio-reader-service-account"
"""The account with which istiod reads a remote cluster."""


CONFIG_SECRET = "istio-kubeconfig"
"""The Secret by which istiod finds the config cluster."""


REMOTE_SECRET_LABEL = "istio/multiCluster"
"""The label by which istiod finds the Secrets of remote clusters."""


class RemoteSecret(Builder[Secret], hidden=("token",)):
    """What `istioctl create-remote-secret` writes: a kubeconfig for one cluster, in a Secret for istiod.

    `type="config"` is the Secret `istio-kubeconfig`, through which istiod reads the config cluster; its token is one of
    the account `istiod` (`istiod-REVISION`) there, of type remote one of `istio-reader-service-account`. It lacks the
    label of remote secrets, which istioctl gives it, since by that istiod registers the config cluster a second time,
    under the name `config` (istio 1.30.3: pkg/kube/multicluster/secretcontroller.go, seen in a running istiod).
    """

    release: Release | str
    cluster: str
    server: str
    """URL of the cluster's API server."""
    ca: str
    """The API server's CA certificates, as PEM text."""
    token: SecretStr
    """The token of a ServiceAccount in that cluster."""
    type: Literal["remote", "config"] = "remote"
    namespace: str = "external-istiod"
    tls_server_name: str | None = None
    """The name in the API server's certificate, if it is not the server's own; from 1.26."""

    def _document(self) -> Secret:
        release = find_release(self.release)
        if self.tls_server_name is not None and (problem := why_no_tls_server_name(release)):
            raise InvalidInput([Problem(("tls_server_name",), problem)])
        metadata = ObjectMeta(
            name=_name(self.cluster, self.type),
            namespace=self.namespace,
            labels=_labels(self.type),
            annotations=_annotations(self.cluster),
            **({"creationTimestamp": None} if release.secret_has_empty_fields else {}),
        )
        key = _key(self.cluster, self.type)
        return Secret(metadata=metadata, stringData={key: SecretStr(self._kubeconfig(release))})

    def _kubeconfig(self, release: Release) -> str:
        """Return the kubeconfig's text, keys in alphabetical order as Go writes them."""
        cluster = {"certificate-authority-data": b64encode(self.ca.encode()).decode(), "server": self.server}
        if self.tls_server_name is not None:
            cluster["tls-server-name"] = self.tls_server_name
        return yaml.dump(
            {
                "apiVersion": "v1",
                "clusters": [{"cluster": cluster, "name": self.cluster}],
                "contexts": [{"context": {"cluster": self.cluster, "user": self.cluster}, "name": self.cluster}],
                "current-context": self.cluster,
                "kind": "Config",
                **({"preferences": {}} if release.secret_has_empty_fields else {}),
                "users": [{"name": self.cluster, "user": {"token": self.token.get_secret_value()}}],
            }
        )


class ExternalRemoteSecret(Builder[ExternalSecret]):
    """The same Secret, which the External Secrets Operator makes of a kubeconfig in a store."""

    cluster: str
    store: str
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    key: str
    """Where the kubeconfig is in the store."""
    type: Literal["remote", "config"] = "remote"
    namespace: str = "external-istiod"

    def _document(self) -> ExternalSecret:
        name = _name(self.cluster, self.type)
        metadata = SecretMetadata(labels=_labels(self.type), annotations=_annotations(self.cluster))
        value = SecretValue(secretKey=_key(self.cluster, self.type), remoteRef=RemoteRef(key=self.key))
        return ExternalSecret(
            metadata=ObjectMeta(name=name, namespace=self.namespace),
            spec=ExternalSecretSpec(
                secretStoreRef=SecretStoreRef(name=self.store, kind=self.store_kind),
                target=SecretTarget(name=name, template=SecretTemplate(metadata=metadata)),
                data=(value,),
            ),
        )


_Type = Literal["remote", "config"]


def _name(cluster: str, kind: _Type) -> str:
    return remote_secret_name(cluster) if kind == "remote" else CONFIG_SECRET


def _labels(kind: _Type) -> dict[str, str] | None:
    return {REMOTE_SECRET_LABEL: "true"} if kind == "remote" else None


def _annotations(cluster: str) -> dict[str, str]:
    return {"networking.istio.io/cluster": cluster}


def _key(cluster: str, kind: _Type) -> str:
    """Return the key of the kubeconfig, by which istiod knows a remote cluster."""
    return cluster if kind == "remote" else "config"


class ServiceAccountToken(Builder[Secret]):
    """A Secret that Kubernetes 1.24 and later fill with a lasting token of a ServiceAccount, and the cluster's CA."""

    namespace: str = "external-istiod"
    service_account: str = READER

    @property
    def name(self) -> str:
        """The Secret's name, the one under which istioctl looks for it."""
        return f"{self.service_account}-istio-remote-secret-token"

    def _document(self) -> Secret:
        return Secret(
            metadata=ObjectMeta(
                name=self.name,
                namespace=self.namespace,
                annotations={"kubernetes.io/service-account.name": self.service_account},
            ),
            type="kubernetes.io/service-account-token",
        )


def remote_secret_name(cluster: str) -> str:
    """Return the Secret's name, with a readable stand-in for a cluster's name that no Kubernetes object can have.

    istiod takes the cluster from the Secret's key, not from its name, so any name does.
    """
    name = f"istio-remote-secret-{cluster}"
    if DNS_SUBDOMAIN.fullmatch(name):
        return name
    return f"istio-remote-secret-{stand_in(cluster)}"


def why_no_tls_server_name(release: Release) -> str | None:
    """Return why remote secrets of a release cannot name the server's certificate, or None."""
    if release.tls_server_name:
        return None
    first = first_release_with("tls_server_name")
    return f"Istio {release} has no tls-server-name in remote secrets: leave it out or use {first} or later"
