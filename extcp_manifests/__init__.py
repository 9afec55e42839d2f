"""Every manifest of an Istio external control plane, from one typed topology.

    Topology --plan()--> Plan = ordered steps (cluster, file, documents, command) --render()--> {path: bytes}
       |                    ^
       |  Release (row)     |   builders: inputs in, one typed document out
       +- Exposure (row) ---+   injection, merge, yaml: pure functions below

The modules in reading order, in which each imports only from those before it:

    values      text, errors, release, address, naming
    documents   kubernetes, mesh_config, istio_operator, networking
    functions   injection, regex, merge, yaml, patch, compose, schema, rule_ids, checks, document_kinds, told_release,
                agreement, traffic_policy, mesh_defaults, mesh_validation, mesh, preview, mesh_networks,
                unreachable_routes, http_routes, networking_validation, operator_validation
    knowledge   exposure
    composition builders
    input       inputs, topology, credentials, validation, reports, difference
    outcome     step, commands, runbook, output, kustomize, plan, gitops, krm,
                exec_plugin
    edge        schemas (tables), cli, testing (a pytest plugin)

Nothing here calls a cluster, and only `load`, `load_credentials` and `Plan.write` touch files.
"""

from extcp_manifests.credentials import ClusterCredentials, load_credentials
from extcp_manifests.errors import ExtcpError, InvalidInput
from extcp_manifests.plan import Plan, plan
from extcp_manifests.topology import (
    ExternalCluster,
    MeshCluster,
    MeshGateways,
    Sample,
    SharedGateway,
    Topology,
    load,
)

__all__ = [
    "ClusterCredentials",
    "ExtcpError",
    "ExternalCluster",
    "InvalidInput",
    "MeshCluster",
    "MeshGateways",
    "Plan",
    "Sample",
    "SharedGateway",
    "Topology",
    "load",
    "load_credentials",
    "plan",
]
