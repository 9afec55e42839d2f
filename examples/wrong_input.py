"""What a wrong input says: every problem at once, each with its place and the way out."""

from extcp_manifests import InvalidInput, MeshCluster, Topology

try:
    Topology(
        release="1.24",
        mesh_id="mesh1",
        address="2001:db8::10",
        credential_name="myhost-example-credential",
        config_cluster=MeshCluster(name="cluster1", network="network1"),
        remote_clusters=(MeshCluster(name="cluster1", network="eu/west"),),
    )
except InvalidInput as error:
    for problem in error.problems:
        print(problem)
