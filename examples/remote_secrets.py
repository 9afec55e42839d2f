"""Remote secrets as files: credentials come beside the topology, never in it."""

import stat
import tempfile
from pathlib import Path

from pydantic import SecretStr

from extcp_manifests import ClusterCredentials, load, plan

credentials = {
    "cluster2": ClusterCredentials(
        server="https://192.0.2.20:6443",
        ca="-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n",
        token=SecretStr("the token of istio-reader-service-account".replace(" ", "-")),
    )
}
the_plan = plan(load(Path(__file__).with_name("guide.yaml")), credentials=credentials)

with tempfile.TemporaryDirectory() as folder:
    the_plan.write(folder)
    secret = Path(folder, "external/remote-secret-cluster2.yaml")
    print(secret.name, oct(stat.S_IMODE(secret.stat().st_mode)))

print(credentials["cluster2"])
