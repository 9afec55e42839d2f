"""What the steps of a stage are made of."""

from extcp_manifests.planning.resolved import Resolved, Target
from extcp_manifests.planning.step import Action, Argv, Builder, Check, Part, Step, piped
from extcp_manifests.planning.tools.kubectl import kubectl
from extcp_manifests.records import Record
from extcp_manifests.topology.clusters import MeshCluster
from extcp_manifests.topology.model import Topology


class Place(Record):
    """A cluster in which steps of a stage are run."""

    stage: str
    target: Target

    def kubectl(self, *words: str) -> Argv:
        return kubectl(self.target.access, *words)

    def check(self, expect: str, *words: str) -> Check:
        """Return a call of kubectl that fails where something is missing, and what else its output should show."""
        return Check(piped(self.kubectl(*words)), expect)

    def wait_for(self, deployment: str, namespace: str) -> Check:
        """Return a check that waits until the pods of a Deployment run."""
        words = ("rollout", "status", f"deployment/{deployment}", "-n", namespace, f"--timeout={_PATIENCE}")
        return self.check(f'"{deployment}" successfully rolled out', *words)

    def address(self, service: str, namespace: str, expect: str) -> Check:
        """Return a check for the external address of a Service, which fails while there is none."""
        shown = "jsonpath={.status.loadBalancer.ingress}"
        command = piped(self.kubectl("get", "service", service, "-n", namespace, "-o", shown), ("grep", "."))
        return Check(command, f"{expect}; repeat this while it shows none, which can take minutes")

    def step(
        self,
        file: str,
        action: Action,
        *documents: Builder,
        why: str,
        part: Part | None = None,
        verify: tuple[Check, ...] = (),
        secret: bool = False,
    ) -> Step:
        """Return a step with a file, which its action reads."""
        return Step(
            stage=self.stage,
            cluster=self.target.name,
            access=self.target.access,
            folder=self.target.folder,
            why=why,
            action=action,
            part=part,
            path=f"{self.target.folder}/{file}",
            builders=documents,
            verify=verify,
            secret=secret,
        )


_PATIENCE = "5m"
"""How long checks wait, as kubectl takes it."""


class Stage(Record):
    """What the steps of a stage are made of: the topology, one of its remote clusters, and where steps are run."""

    resolved: Resolved
    cluster: MeshCluster
    remote: Place
    external: Place

    @property
    def topology(self) -> Topology:
        return self.resolved.topology
