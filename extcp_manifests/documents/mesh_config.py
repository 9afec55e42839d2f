"""Istio's mesh config, as far as this library sets it itself; every other field is carried as given."""

from collections.abc import Mapping

from extcp_manifests.documents.model import Model


class ProxyConfig(Model, further_keys=True):
    """The settings of every proxy: `defaultConfig` of the mesh config."""

    discoveryAddress: str | None = None
    proxyMetadata: Mapping[str, str] | None = None


class MeshConfig(Model, further_keys=True):
    """The settings of a whole mesh, which istiod reads from a ConfigMap."""

    rootNamespace: str | None = None
    defaultConfig: ProxyConfig | None = None
