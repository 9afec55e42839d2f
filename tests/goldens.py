"""Golden files: `golden/<topology>/<since>/<cluster>/<file>.yaml`, where `<since>` is the first release that has it.

An epoch holds every file of the topology; a release is compared with the newest epoch that is not after it. A runbook
names its release and Kubernetes, so it is compared for the first release of an epoch alone; commands are for all.
"""

from pathlib import Path

from extcp_manifests import InvalidInput, Plan, load, load_credentials, plan
from extcp_manifests.istio.releases import RELEASES

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "golden"
EXAMPLES = ("guide", "production", "own_certificate", "existing_gateway", "helm", "sail")
_OTHERS = (
    "cni",
    "gateways_namespace",
    "helm_ip",
    "hostile",
    "ip",
    "ipv6",
    "kubernetes_gateway",
    "private_ca",
    "revision",
    "sail_host_name",
    "secret_store",
)
TOPOLOGIES = {
    **{name: ROOT / f"examples/{name}.yaml" for name in EXAMPLES},
    **{name: ROOT / f"tests/topologies/{name}.yaml" for name in _OTHERS},
}

Files = dict[str, bytes]


def expected(name: str) -> Files:
    """Return every golden file of a topology as the library writes it now, by its path below golden/<topology>/."""
    files: Files = {}
    before = None
    for release in RELEASES:
        try:
            the_plan = _plan(name, release)
        except InvalidInput:
            before = None
            continue
        now = dict(the_plan.files()), _commands(the_plan)
        if now != before:
            files |= {f"{release}/{path}": content for path, content in now[0].items()}
            files[f"{release}/RUNBOOK.md"] = the_plan.runbook().encode()
        before = now
    return files


def _commands(the_plan: Plan) -> str:
    """Return all commands in one text, without the number of the release."""
    return "\n".join(f"{step.command} {step.undo}" for step in the_plan.steps).replace(the_plan.topology.release, "R")


def _plan(name: str, release: str) -> Plan:
    """Return the plan of a topology for a release, with its credentials where there is a file of them."""
    source = TOPOLOGIES[name]
    credentials = source.with_suffix(".credentials.yaml")
    return plan(
        load(source, release=release), credentials=load_credentials(credentials) if credentials.exists() else None
    )
