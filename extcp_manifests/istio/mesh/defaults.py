"""The mesh config that istiod starts from, by release.

Source: istio 1.15.7 to 1.30.3: pkg/config/mesh/mesh.go (DefaultMeshConfig, DefaultProxyConfig).
"""

from typing import Any

from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since, until
from extcp_manifests.records import Record


class _Default(Record):
    """A field that istiod sets before it reads any source."""

    key: str
    value: Any
    releases: ReleaseRange = EVERY_RELEASE


_MESH = (
    _Default("proxyListenPort", 15001),
    _Default("proxyInboundListenPort", 15006, releases=since("1.18")),  # istio 1.18.7
    _Default("connectTimeout", "10s"),
    _Default("protocolDetectionTimeout", "0s"),
    _Default("ingressClass", "istio"),
    _Default("ingressService", "istio-ingressgateway"),
    _Default("ingressControllerMode", "STRICT"),
    _Default("enableTracing", True),
    _Default("accessLogEncoding", "TEXT"),
    _Default("outboundTrafficPolicy", {"mode": "ALLOW_ANY"}),
    _Default("inboundTrafficPolicy", {"mode": "PASSTHROUGH"}, releases=since("1.22")),  # istio 1.22.8
    _Default("enableAutoMtls", True),
    _Default("trustDomain", "cluster.local"),
    _Default("defaultServiceExportTo", ["*"]),
    _Default("defaultVirtualServiceExportTo", ["*"]),
    _Default("defaultDestinationRuleExportTo", ["*"]),
    _Default("rootNamespace", "istio-system"),
    _Default("localityLbSetting", {"enabled": True}),
    _Default("dnsRefreshRate", "60s"),
    _Default("enablePrometheusMerge", True, releases=since("1.18")),  # istio 1.18.7
    _Default(
        "extensionProviders",
        [
            {"name": "prometheus", "prometheus": {}},
            {"name": "stackdriver", "stackdriver": {}},
            {"name": "envoy", "envoyFileAccessLog": {"path": "/dev/stdout"}},
        ],
    ),
    _Default("defaultProviders", {}),
    _Default("thriftConfig", {}, releases=until("1.16")),  # istio 1.17.8 has no such field
)


_PROXY = (
    _Default("configPath", "./etc/istio/proxy"),
    _Default("binaryPath", "/usr/local/bin/envoy"),
    _Default("serviceCluster", "istio-proxy"),
    _Default("drainDuration", "45s"),
    _Default("parentShutdownDuration", "60s", releases=until("1.16")),  # istio 1.17.8 has no such field
    _Default("discoveryAddress", "istiod.istio-system.svc:15012"),
    _Default("proxyAdminPort", 15000),
    _Default("controlPlaneAuthPolicy", "MUTUAL_TLS"),
    _Default("statNameLength", 189),
    _Default("concurrency", 2, releases=until("1.17")),  # istio 1.18.7 leaves it unset
    # istio 1.22.8 leaves it unset
    _Default("tracing", {"zipkin": {"address": "zipkin.istio-system:9411"}}, releases=until("1.21")),
    _Default("statusPort", 15020),
    _Default("terminationDrainDuration", "5s"),
)


def mesh_defaults(release: Release) -> dict[str, Any]:
    """Return the built-in mesh config of a release, by JSON names."""
    return {**_of(_MESH, release), "defaultConfig": proxy_defaults(release)}


def proxy_defaults(release: Release) -> dict[str, Any]:
    """Return the built-in proxy config of a release, by JSON names."""
    return _of(_PROXY, release)


def _of(defaults: tuple[_Default, ...], release: Release) -> dict[str, Any]:
    return {each.key: each.value for each in defaults if release in each.releases}
