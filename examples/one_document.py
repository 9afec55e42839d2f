"""One document by itself: the istiod of the external cluster, as `istioctl install -f -` reads it."""

from extcp_manifests import builders, yaml

istiod = builders.ExternalIstiod(
    release="1.24",
    address="myhost.example.com",
    mesh_id="mesh1",
    cluster="cluster1",
    network="network1",
    mesh_config={"accessLogFile": "/dev/stdout"},
).build()

print(yaml.dump(istiod.plain()), end="")
