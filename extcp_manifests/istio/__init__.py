"""What Istio makes of documents, by release."""

from typing import TYPE_CHECKING

from extcp_manifests.lazy import handing_on

if TYPE_CHECKING:
    from extcp_manifests.istio.mesh.merging import merge_mesh_config
    from extcp_manifests.istio.mesh.networks import choose_mesh_networks
    from extcp_manifests.istio.operator.compose import compose
    from extcp_manifests.istio.operator.overlays import apply_overlays
    from extcp_manifests.istio.operator.preview import preview
    from extcp_manifests.istio.validation import validate

__all__ = ["apply_overlays", "choose_mesh_networks", "compose", "merge_mesh_config", "preview", "validate"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = handing_on(
        __name__,
        {
            "apply_overlays": "operator.overlays",
            "choose_mesh_networks": "mesh.networks",
            "compose": "operator.compose",
            "merge_mesh_config": "mesh.merging",
            "preview": "operator.preview",
            "validate": "validation",
        },
    )
