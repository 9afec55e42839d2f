"""Merging 1,000 pairs of mesh configs, against parsing their YAML with PyYAML's C loader.

Run: python tests/benchmarks/bench_merge_mesh.py
"""

from time import perf_counter

import yaml as pyyaml

from extcp_manifests.istio.mesh.merging import merge_mesh_config

ADMIN = """\
accessLogFile: /dev/stdout
enableTracing: true
trustDomainAliases: [old.example.com, older.example.com]
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
discoverySelectors:
- matchLabels: {istio-discovery: enabled}
extensionProviders:
- name: otel
  opentelemetry: {service: otel.observability.svc.cluster.local, port: 4317}
- name: ext-authz
  envoyExtAuthzGrpc: {service: authz.security.svc.cluster.local, port: 9000, timeout: 250ms}
defaultProviders: {tracing: [otel], accessLogging: [envoy]}
defaultConfig:
  holdApplicationUntilProxyStarts: true
  tracing: {sampling: 5}
  proxyMetadata: {ISTIO_META_DNS_CAPTURE: "true", REGION: "west-%d"}
"""
OPERATOR = """\
rootNamespace: external-istiod
accessLogEncoding: JSON
connectTimeout: 5s
extensionProviders:
- name: otel
  opentelemetry: {service: collector.observability.svc.cluster.local, port: 4317}
defaultConfig:
  discoveryAddress: myhost-%d.example.com:15012
  terminationDrainDuration: 20s
  proxyMetadata:
    XDS_ROOT_CA: /etc/ssl/certs/ca-certificates.crt
    CA_ROOT_CA: /etc/ssl/certs/ca-certificates.crt
"""


def main() -> None:
    """Print both times and their ratio."""
    texts = [(ADMIN % number, OPERATOR % number) for number in range(1000)]
    start = perf_counter()
    pairs = [tuple(pyyaml.load(text, Loader=pyyaml.CSafeLoader) for text in pair) for pair in texts]
    parsing = perf_counter() - start
    start = perf_counter()
    for shared, local in pairs:
        merge_mesh_config(shared=shared, local=local, release="1.24")
    merging = perf_counter() - start
    print(f"parsing 2,000 texts  {parsing:.3f} s")
    print(f"merging 1,000 pairs  {merging:.3f} s  {merging / parsing:.2f} of the time of parsing")


if __name__ == "__main__":
    main()
