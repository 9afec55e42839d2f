"""A thousand clusters from an inventory, written one file at a time."""

import tempfile

from extcp_manifests import MeshCluster, MeshGateways, Topology, plan

inventory = {f"shop-{number:04}": f"network-{number % 7}" for number in range(1, 1001)}

topology = Topology(
    release="1.30",
    mesh_id="shops",
    address="2001:db8::10",
    config_cluster=MeshCluster(name="headquarters", network="network-0"),
    remote_clusters=tuple(
        MeshCluster(name=name, network=network, gateways=MeshGateways(east_west=True))
        for name, network in inventory.items()
    ),
)

with tempfile.TemporaryDirectory() as folder:
    written = plan(topology).write(folder)

print(len(written), "files, the last one", written[-1])
