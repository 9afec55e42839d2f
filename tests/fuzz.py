"""Strange values for every public function: each answers, or refuses with an error of this library.

`test_fuzz.py` runs a few hundred rounds, the same ones every time. A long run is made by hand, with the number of
rounds and, where others than the first ones are wanted, the number of the first:

    PYTHONPATH=tests python tests/fuzz.py 100000
    PYTHONPATH=tests python tests/fuzz.py 100000 500000

It prints each fault once, by the place in the code, with the round that shows it: `run(ROUND)` repeats it.
"""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from pydantic import SecretStr

from extcp_manifests import ClusterCredentials, MeshCluster, Topology, builders, injection, load, plan, yaml
from extcp_manifests.cli.reports import REPORTS
from extcp_manifests.documents.compare import compare_documents, compare_files, report
from extcp_manifests.documents.identity import document_name
from extcp_manifests.documents.istio_operator import Overlay, Patch
from extcp_manifests.errors import ExtcpError, why_not_text
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.mesh.networks import choose_mesh_networks
from extcp_manifests.istio.operator.compose import compose, compose_plain
from extcp_manifests.istio.operator.merging import merge_env
from extcp_manifests.istio.operator.overlays import apply_overlays, to_json6902
from extcp_manifests.istio.operator.preview import preview
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.rules.istio_operator import validate_operator
from extcp_manifests.istio.rules.networking import validate_networking
from extcp_manifests.istio.validation import validate, validate_text
from extcp_manifests.pipelines.argocd import argocd
from extcp_manifests.pipelines.flux import flux
from extcp_manifests.pipelines.krm import generate
from extcp_manifests.pipelines.krm import run as answer
from extcp_manifests.pipelines.parts import Repository
from extcp_manifests.topology.credentials import load_credentials
from extcp_manifests.topology.document_check import TOPOLOGY_CHECKS

ROOT = Path(__file__).parents[1]
SLOW = 5.0
"""Seconds after which a round counts as a fault of its own."""


# ------------------------------------------------------------------------------------------------------------- values


def deep(levels: int) -> Any:
    """Lists and mappings inside each other."""
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def endless() -> Any:
    """A mapping that holds itself."""
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


class Odd:
    """A value of a type that nobody knows."""


SCALARS: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 443, 65536, 2**31, 2**63, 2**64, 10**400, -(10**400)),
    *(0.5, 1e300, float("nan"), float("inf"), -0.0),
    *("", " ", "x", "a/b", "*", ".", "..", "/", "~", "a.b", "a:b", "{{", "[[", "a\nb", "a: b", "{a: b}", "- a", "\ta"),
    *("a\0b", "\ud800", "\udfff.example.com", "a\n::error file=x::y", "\x1b[31m", "\u202ea", "\u200b", "é", "😀"),
    *(
        "1.24",
        "1.30",
        "v1",
        "9" * 5000,
        "a" * 300,
        "(" * 1200 + ")" * 1200,
        "(a*)*b",
        "\\",
        "[",
        "\\Q",
        "(?P<a",
        "x{1001}",
    ),
    *("spec.a.b", "spec.l[0]", "[name:a].b", "a[", "[:(a+)+$]", "[-1]", "[99999999999999999999]", "https://", "$patch"),
    *(b"x", b"\xff", Odd(), Odd, SecretStr("x"), (1, 2), {1, 2}, frozenset({"a"}), 1j, ..., range(3), Path("x")),
)
SHAPES: Sequence[Callable[[], Any]] = (
    list,
    dict,
    endless,
    lambda: deep(99),
    lambda: deep(101),
    lambda: deep(3000),
    lambda: [[]],
    lambda: [None],
    lambda: [[[1]]],
    lambda: [{}, {"name": "a"}, {"name": "a"}],
    lambda: {"a": {"b": ["c"]}},
    lambda: {1: 2},
    lambda: {None: None},
    lambda: {("a", "b"): 1},
    lambda: {"": ""},
    lambda: {"name": {"name": "a"}},
    lambda: {"a\n::error": 1},
    lambda: {"\ud800": 1},
    lambda: {"a/b": "c"},
    lambda: {"kind": "List", "items": [{"kind": "List", "items": {}}]},
)


@cache
def documents() -> Sequence[Any]:
    """Good documents of every kind, to be changed."""
    found: list[Any] = []
    for pattern in ("examples/**/*.yaml", "golden/*/1.15/**/*.yaml", "tests/topologies/*.yaml"):
        for path in sorted(ROOT.glob(pattern)):
            found += yaml.load_all(path.read_bytes())
    for kind, name in (("VirtualService", "virtual_service"), ("DestinationRule", "destination_rule")):
        suite = yaml.load((ROOT / f"tests/istio/rules/cases/{name}.yaml").read_bytes())
        found += [{"kind": kind, "metadata": {"name": "x"}, "spec": case["spec"]} for case in suite["cases"]]
    found += [
        {
            "kind": "ConfigMap",
            "metadata": {"name": "istio"},
            "data": {"mesh": "rootNamespace: a", "meshNetworks": "{}"},
        },
        {"kind": "List", "items": [{"kind": "Gateway", "metadata": {"name": "g"}, "spec": {"servers": [{}]}}]},
        {"networks": {"n1": {"endpoints": [{"fromRegistry": "c"}], "gateways": [{"address": "a", "port": 1}]}}},
        {"rootNamespace": "a", "defaultConfig": {"proxyMetadata": {"A": "b"}}, "extensionProviders": [{"name": "a"}]},
    ]
    return [each for each in found if each is not None]


@cache
def of_kind(kind: str) -> Sequence[Any]:
    return [each for each in documents() if isinstance(each, Mapping) and each.get("kind") == kind]


@cache
def texts() -> Sequence[str]:
    """Texts that stand in good documents, which mean something somewhere."""
    return sorted({value for document in documents() for value in _texts(document) if len(value) < 100})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _places(value: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Each value below, as what holds it and its key or number."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield value, key
        if depth < 30:
            yield from _places(item, depth + 1)


class Maker:
    """Makes the values of one round."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def strange(self) -> Any:
        """Any value at all."""
        match self.random.randrange(8):
            case 0 | 1 | 2 | 3:
                return self.random.choice(SCALARS)
            case 4 | 5:
                return self.random.choice(SHAPES)()
            case 6:
                return self.random.choice(texts())
            case _:
                return deepcopy(self.random.choice(documents()))

    def text(self) -> Any:
        """Most often a text."""
        if self.random.random() < 0.2:
            return self.strange()
        known = self.random.choice(texts())
        return self.random.choice([known, self.random.choice([each for each in SCALARS if isinstance(each, str)])])

    def release(self) -> Any:
        return self.strange() if self.random.random() < 0.02 else self.random.choice([*RELEASES])

    def changed(self, document: Any) -> Any:
        """A document with strange values, keys and copies in some places, or as it is."""
        try:
            changed = deepcopy(document)
        except RecursionError:
            return document
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            with suppress(LookupError):  # where a value holds itself, and loses a part on the way
                if self.random.random() < 0.5:
                    changed = self._changed_once(changed)
                else:
                    self.change_anywhere(changed)
        return changed

    def change_anywhere(self, value: Any) -> None:
        """Put a strange value in the place of any other, each with the same chance."""
        places = list(islice(_places(value, 0), 2000))
        if places:
            node, key = self.random.choice(places)
            node[key] = self.strange()

    def _changed_once(self, value: Any) -> Any:
        """Go down by chance, and change what is there."""
        if self.random.random() < 0.02 or not isinstance(value, dict | list) or not value:
            return self.strange()
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = self.random.choice(keys)
        what = self.random.random()
        if isinstance(value[key], dict | list) and value[key] and what < 0.75:
            value[key] = self._changed_once(value[key])
        elif what < 0.80:
            del value[key]
        elif what < 0.85 and isinstance(value, list):
            value.append(value[key])
        elif what < 0.90 and isinstance(value, dict):
            new = self.strange()
            if isinstance(new, str | int | float | tuple | None):
                value[new] = value[key]
        elif what < 0.93:
            value[key] = [value[key]]
        else:
            value[key] = self.strange()
        return value

    def document(self, *kinds: str) -> Any:
        if self.random.random() < 0.02:
            return self.strange()
        return self.changed(self.random.choice(of_kind(self.random.choice(kinds)) if kinds else documents()))

    def several(self, *kinds: str) -> Any:
        """Documents for one call; a generator or something else now and then."""
        made = [self.document(*kinds) for _ in range(self.random.choice([0, 1, 2, 2, 3, 5]))]
        chance = self.random.random()
        return self.strange() if chance < 0.03 else iter(made) if chance < 0.1 else made

    def yaml(self, value: Any) -> Any:
        """A value as text, damaged now and then; what has no text is given as it is."""
        try:
            text = yaml.dump_all(value) if isinstance(value, list) else yaml.dump(value)
        except ExtcpError:
            return value
        if self.random.random() < 0.3:
            place = self.random.randrange(len(text) + 1)
            extra = self.random.choice(
                [
                    "\0",
                    "\ud800",
                    "'",
                    '"',
                    "{",
                    "[",
                    "!!x ",
                    "&a ",
                    "*a",
                    "<<: ",
                    "? ",
                    "\t",
                    "%",
                    "\x85",
                    "- ",
                    "|2\n",
                    "\r",
                ]
            )
            text = text[:place] + extra + text[place + self.random.randrange(3) :]
        if self.random.random() < 0.3:
            return text.encode("utf-8", "surrogatepass")
        return text

    def either(self, value: Any) -> Any:
        """The value, or its text."""
        return value if self.random.random() < 0.6 else self.yaml(value)


# -------------------------------------------------------------------------------------------------------------- calls


OPERATORS = ("IstioOperator",)
NETWORKING = ("Gateway", "VirtualService", "DestinationRule")


def call_yaml(make: Maker) -> None:
    value = make.either(make.document())
    for function in (yaml.dump, yaml.load, yaml.load_all, yaml.load_first, yaml.require_plain):
        refused(function, value)
    refused(yaml.dump_all, make.several())


def call_injection(make: Maker) -> None:
    cluster, network = make.text(), make.text()
    refused(injection.encode, cluster=cluster, network=network)
    refused(injection.service_path, cluster=cluster, network=network)
    refused(injection.url, make.text(), cluster=cluster, network=network)
    refused(injection.decode, make.text())
    refused(injection.decode_url, make.text())


def call_load(make: Maker) -> None:
    kind = "ExternalControlPlane"
    extra = {} if make.random.random() < 0.7 else {"release": make.release()}
    topology = refused(load, make.either(make.document(kind)), **extra)
    if isinstance(topology, Topology):
        the_plan = plan(topology)
        the_plan.render()
        the_plan.runbook()
        repository = refused(Repository, url=make.text(), revision=make.text(), path=make.text())
        if isinstance(repository, Repository):
            refused(lambda: list(argocd(the_plan, repository, project=make.text())))
            refused(lambda: list(flux(the_plan, repository, here=make.text(), namespace=make.text())))
    refused(plan, make.strange())


def call_topology(make: Maker) -> None:
    cluster = refused(MeshCluster, name=make.text(), network=make.text())
    values: dict[str, Any] = {
        "release": make.release(),
        "mesh_id": make.text(),
        "address": make.random.choice(["h.example.com", "192.0.2.1", make.text()]),
        "config_cluster": cluster if make.random.random() < 0.7 else make.strange(),
    }
    for name in Topology.model_fields:
        if make.random.random() < 0.15:
            values[name] = make.text()
    refused(Topology, **values)


def call_parts(make: Maker) -> None:
    """What a topology with settings and overrides accepts, everything that is made of it accepts."""
    spec: dict[str, Any] = {
        "release": make.random.choice(["1.15", "1.19", "1.23", "1.24", "1.32"]),
        "install": make.random.choice(["istioctl", "helm"]),
        "meshID": "m",
        "address": "192.0.2.1",
        "gateway": _pods(make),
        "istiod": _pods(make),
        "configCluster": {
            "name": "c",
            "network": "n",
            "overrides": _piece(make, 0),
            "gateways": {"ingress": True, "overrides": {"ingress": _piece(make, 0)}},
        },
    }
    identity = {"apiVersion": "extcp-manifests/v1", "kind": "ExternalControlPlane", "metadata": {"name": "m"}}
    topology = refused(load, {**identity, "spec": spec})
    if topology is not None:
        the_plan = plan(topology)
        the_plan.render()
        the_plan.runbook()
        list(the_plan.kustomize().files())


def _pods(make: Maker) -> dict[str, Any]:
    keys = ("replicas", "env", "tolerations", "affinity", "podDisruptionBudget", "priorityClassName", "resources")
    pods = {key: _piece(make, 1) for key in keys if make.random.random() < 0.1}
    return {**pods, "overrides": _piece(make, 0)}


def _piece(make: Maker, depth: int) -> Any:
    """Return data with the keys of documents."""
    kind = make.random.random()
    if depth > 4 or (depth and kind < 0.5):
        return make.random.choice([None, True, 15012, "", "x", "empty", "istio-ingressgateway", make.strange()])
    if depth and kind < 0.6:
        return [_piece(make, depth + 1) for _ in range(make.random.randrange(3))]
    return {make.random.choice(PART_KEYS): _piece(make, depth + 1) for _ in range(make.random.randrange(4))}


PART_KEYS = """
components pilot k8s env name value values global hub tag profile revision meshConfig defaultConfig ingressGateways
service ports port overlays patches path unvalidatedValues volumes namespace base istiodRemote injectionURL meshID
multiCluster clusterName replicaCount resources requests tolerations affinity labels type annotations networkGateway
""".split()


def call_credentials(make: Maker) -> None:
    good = {
        "apiVersion": "extcp-manifests/v1",
        "kind": "Credentials",
        "clusters": {"cluster1": {"server": "https://192.0.2.1", "ca": "-----BEGIN CERTIFICATE-----", "token": "t"}},
    }
    given = make.either(make.changed(good))
    loaded = refused(load_credentials, given)
    topology = load(ROOT / "examples/guide.yaml")
    one = ClusterCredentials(server=make.text(), ca=make.text(), token=make.text())
    for credentials in (loaded, {"cluster1": one}, {1: one}, make.strange()):
        planned = refused(plan, topology, credentials=credentials)
        if planned is not None:
            planned.render()


def call_builders(make: Maker) -> None:
    builder: Any = getattr(builders, make.random.choice(builders.__all__))
    values: dict[str, Any] = {}
    for field in inspect.signature(builder).parameters.values():
        required = field.default is field.empty
        if field.name in GOOD and make.random.random() < 0.7:
            values[field.name] = GOOD[field.name]
        elif required or make.random.random() < 0.5:
            values[field.name] = make.text()
    made = builder(**values)
    built = refused(made.build)
    if built is not None:
        repr(made)
        refused(yaml.dump, built.plain())


GOOD: Mapping[str, Any] = {
    "release": "1.24",
    "address": "h.example.com",
    "cluster": "c",
    "network": "n",
    "mesh_id": "m",
    "token": SecretStr("t"),
    "mesh_config": {"defaultConfig": {"proxyMetadata": {"A": "b"}}},
}


def call_mesh(make: Maker) -> None:
    for function in (merge_mesh_config, choose_mesh_networks):
        sources = [make.either(make.document()) if make.random.random() < 0.8 else None for _ in range(2)]
        if make.random.random() < 0.7:
            sources[0] = make.either(make.changed(documents()[make.random.choice([-1, -2, -4])]))
        merged = refused(function, shared=sources[0], local=sources[1], release=make.release())
        if function is merge_mesh_config and merged is not None:
            list(merged.origins())
            refused(merge_mesh_config, shared=sources[0], local=sources[1], release="1.24", emulate=True, defaults=True)


def call_compose(make: Maker) -> None:
    files = [make.either(make.document(*OPERATORS)) for _ in range(make.random.choice([1, 2, 2, 3]))]
    flags: Any = [
        f"{make.random.choice(texts())}={make.random.choice(texts())}" for _ in range(make.random.randrange(3))
    ]
    flags = make.strange() if make.random.random() < 0.05 else flags
    refused(compose, *files, set=flags, release=make.release())
    refused(compose_plain, *files, set=flags, release=make.release())
    shown = refused(preview, *files, set=flags, release=make.release())
    if shown is not None:
        list(shown.origins())


def call_patch(make: Maker) -> None:
    objects = make.several()
    overlays: Any = [
        Overlay(
            kind=make.random.choice(["Gateway", "Deployment"]),
            name=make.random.choice(["istiod", *[each for each in texts() if each]]),
            patches=tuple(
                Patch(
                    path=make.random.choice([each for each in (*SCALARS, *texts()) if _is_plain_text(each)]),
                    value=make.strange(),
                )
                for _ in range(2)
            ),
        )
        for _ in range(make.random.randrange(3))
    ]
    if make.random.random() < 0.2:
        overlays = make.strange()
    elif make.random.random() < 0.3:
        overlays = refused(compose, make.document(*OPERATORS), release="1.24") or overlays
    copies = list(objects) if hasattr(objects, "__next__") else objects
    extra = {"component": make.text()} if make.random.random() < 0.2 else {}
    refused(apply_overlays, copies, overlays, release=make.release(), **extra)
    refused(to_json6902, overlays, copies, release=make.release(), **extra)


def _is_plain_text(value: Any) -> bool:
    """Whether typed documents take a value as text; they are pydantic's, and refuse others with its error."""
    return isinstance(value, str) and why_not_text(value) is None


def call_env(make: Maker) -> None:
    env = [{"name": "A", "value": "b"}, {"name": "B", "valueFrom": {"secretKeyRef": {"key": "k"}}}]
    refused(merge_env, make.changed(env), make.changed(env), release=make.release())


def call_validate(make: Maker) -> None:
    kinds = make.random.choice([NETWORKING, OPERATORS, (), ("Gateway", "VirtualService")])
    several = make.several(*kinds)
    copies = list(several) if hasattr(several, "__next__") else several
    refused(lambda: list(validate(copies, release=make.release(), more=TOPOLOGY_CHECKS)))
    results = refused(
        validate_text,
        make.random.choice(["f", "a\nb"]),
        make.yaml(copies),
        release=make.release(),
        more=TOPOLOGY_CHECKS,
    )
    for form in REPORTS.values():
        refused(form, results or ())
    refused(validate_operator, make.document(*OPERATORS), release=make.release())
    refused(validate_networking, make.document(*NETWORKING), release=make.release())


RELATED: Sequence[Any] = yaml.load_all((ROOT / "tests/cases/related.yaml").read_bytes())
"""Documents that name each other."""


def call_agreement(make: Maker) -> None:
    several = deepcopy(list(RELATED))
    for _ in range(make.random.choice([1, 2, 3])):
        make.change_anywhere(several)
    refused(lambda: list(validate(several, release=make.release(), more=TOPOLOGY_CHECKS)))


def call_difference(make: Maker) -> None:
    old = make.several()
    new = [make.changed(each) for each in old] if isinstance(old, list) else make.several()
    refused(lambda: list(report(compare_documents(old, new))))
    files = [
        {make.random.choice(["a.yaml", "b.md", "c"]): make.yaml(each) for each in (make.document(), 1)} for _ in "ab"
    ]
    as_bytes = [{name: text for name, text in each.items() if isinstance(text, bytes)} for each in files]
    refused(lambda: list(report(compare_files(*as_bytes))))
    refused(lambda: list(report(compare_files(*files))))


def call_krm(make: Maker) -> None:
    config = make.document("ExternalControlPlane")
    if isinstance(config, dict) and isinstance(config.get("spec"), dict) and make.random.random() < 0.5:
        config["spec"]["emit"] = make.changed({"clusters": ["cluster1"], "documents": ["install", "values"]})
    items = make.several()
    items = list(items) if hasattr(items, "__next__") else items
    whole = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items, "functionConfig": config}
    given = make.yaml(make.changed(whole) if make.random.random() < 0.3 else whole)
    if isinstance(given, str | bytes):
        answered = answer(given)
        assert isinstance(answered.text, str)
        assert "bug in extcp-manifests" not in "".join(answered.errors), answered.errors
        try:
            read = yaml.load(given)
        except ExtcpError:
            read = None
        if isinstance(read, dict):
            _assert_kept(read, yaml.load(answered.text))
    refused(generate, make.yaml(config))


def _assert_kept(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every item is in its place, or what has the same name."""
    assert after.get("functionConfig") == before.get("functionConfig")
    items = before.get("items")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        kept = after["items"][index]
        assert kept == item or document_name(kept) == document_name(item), "an item is lost"


CALLS: Sequence[Callable[[Maker], None]] = (
    call_yaml,
    call_injection,
    call_load,
    call_topology,
    call_parts,
    call_credentials,
    call_builders,
    call_mesh,
    call_compose,
    call_patch,
    call_env,
    call_validate,
    call_agreement,
    call_difference,
    call_krm,
)


def refused(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """The function's answer, or None where it refuses the values as documented."""
    try:
        return function(*values, **named)
    except ExtcpError as error:
        assert str(error)
        return None
    except OSError:
        return None  # a text that was taken for the path of a file


# ------------------------------------------------------------------------------------------------------------- rounds


@dataclass(frozen=True, slots=True)
class Fault:
    """What should not have been raised, and the first round that shows it."""

    round: int
    call: str
    place: str
    """The last line of this library on the way, and the kind of the exception."""
    trace: str


def run(number: int) -> None:
    """Do one round; each has a call and values of its own, the same whenever it is run."""
    call = CALLS[number % len(CALLS)]
    call(Maker(Random(number)))  # noqa: S311 - nothing secret


def faults(numbers: Iterator[int] | range) -> Iterator[Fault]:
    """Run rounds, and yield each fault once."""
    known: set[str] = set()
    for number in numbers:
        start = perf_counter()
        place = trace = ""
        try:
            run(number)
        except Exception as error:
            place, trace = _place(error), "".join(traceback.format_exception(error, limit=-8))
        if not place and perf_counter() - start > SLOW:
            place = f"{CALLS[number % len(CALLS)].__name__}: more than {SLOW:.0f} s"
        if place and place not in known:
            known.add(place)
            yield Fault(number, CALLS[number % len(CALLS)].__name__, place, trace)


def _place(error: Exception) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "extcp_manifests/" in frame.filename]
    last = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}: {type(error).__name__}"


def main() -> None:
    """Run the rounds that the command line asks for, and print each fault once."""
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    found = 0
    for fault in faults(range(first, first + count)):
        found += 1
        print(f"round {fault.round}, {fault.call}, {fault.place}\n{fault.trace[-1500:]}", flush=True)
    print(f"{count} rounds, {found} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
