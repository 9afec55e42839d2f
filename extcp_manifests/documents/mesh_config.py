"""Istio's mesh config, as far as this library sets it itself; every other field is carried as given."""

from collections.abc import Mapping

from extcp_manifests.documents.kubernetes import Model


class ProxyConfig(Model, extra="allow"):
    discoveryAddress: str | None = None
    proxyMetadata: Mapping[str, str] | None = None


class MeshConfig(Model, extra="allow"):
    rootNamespace: str | None = None
    defaultConfig: ProxyConfig | None = None
