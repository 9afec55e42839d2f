"""The check of topologies for `validate`, beside those of Istio's documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found, as_errors, as_warnings
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.kinds import OURS
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.rules.istio_operator import mesh_config_at
from extcp_manifests.istio.validation import Checks


def check_topology(document: Mapping[str, Any], _release: Release) -> Iterator[Found]:
    """Yield the problems of a topology, and what its own release makes of its mesh config."""
    # Loaded for a topology alone: most documents that are validated are Istio's.
    from extcp_manifests.topology.part_check import part_warnings
    from extcp_manifests.topology.topology_file import load

    known = {**document, "apiVersion": f"{OURS}/v1"}  # check_identity reports another version
    try:
        topology = load(known)
    except InvalidInput as refusal:
        yield from as_errors(refusal.problems, "topology/invalid")
        return
    yield from as_warnings((*topology.warnings, *part_warnings(topology)), "topology/doubtful")
    yield from mesh_config_at(("spec", "meshConfig"), topology.mesh_config, topology.istio, as_warnings)


def check_fleet(document: Mapping[str, Any], _release: Release) -> Iterator[Found]:
    """Yield the problems of several control planes in a document, each by itself and between them."""
    from extcp_manifests.topology.fleet_file import load_fleet

    try:
        fleet = load_fleet({**document, "apiVersion": f"{OURS}/v1"})
    except InvalidInput as refusal:
        yield from as_errors(refusal.problems, "topology/invalid")
        return
    yield from as_warnings(fleet.warnings, "topology/doubtful")


TOPOLOGY_CHECKS: Checks = {
    (OURS, "ExternalControlPlane"): check_topology,
    (OURS, "ExternalControlPlanes"): check_fleet,
}
"""The check of topologies and fleets, for the `more` of `validate_texts` and its like."""
