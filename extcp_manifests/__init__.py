"""Every manifest of an Istio external control plane, from one typed topology.

    Topology --plan()--> Plan = ordered steps (cluster, file, documents, command) --render()--> {path: bytes}
       |                    ^
       |  Release (row)     |   builders: inputs in, one typed document out
       +- Exposure (row) ---+   injection, merge, yaml: pure functions below

The modules in reading order, in which each imports only from those before it:

    values      text, errors, release, address, naming
    documents   kubernetes, mesh_config, istio_operator, networking
    functions   injection, regex, yaml, merge, patch, dropped, schema, rule_ids, checks, document_kinds, told_release,
                agreement, traffic_policy, mesh_defaults, mesh_validation, mesh_sources, mesh, compose, preview,
                mesh_networks, unreachable_routes, http_routes, networking_validation, service_ports, external_istiod,
                operator_validation
    knowledge   exposure
    composition builders
    input       inputs, topology, credentials, validation, reports, difference
    outcome     step, commands, made, runbook, locking, listing, exchange, output, kustomize, plan, gitops,
                krm, exec_plugin
    edge        schemas (tables), cli, testing (a pytest plugin)

Nothing here calls a cluster. Only `load`, `load_credentials`, the methods `write` and `changes`, and what they use of
`output` touch files.
"""

from extcp_manifests.errors import ExtcpError, InvalidInput
from extcp_manifests.planning.plan import Plan, plan
from extcp_manifests.topology.clusters import ExternalCluster, MeshCluster, MeshGateways, Sample, SharedGateway
from extcp_manifests.topology.credentials import ClusterCredentials, load_credentials
from extcp_manifests.topology.file import load
from extcp_manifests.topology.model import Topology

__version__ = "0.1.0"

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
