"""How the time of a call grows with the size of its input: the exponent, which is 1 for linear and 2 for quadratic.

Each input is doubled a few times; the exponent is that of the last doubling, by the best of three runs each. Those
above the limit are marked. Run: python tests/benchmarks/bench_growth.py [NAME ...]
"""

import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2
from time import perf_counter
from typing import Any

from extcp_manifests.documents.istio_operator import Overlay, Patch
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.mesh.merging import merge_mesh_config
from extcp_manifests.istio.operator.compose import compose_files
from extcp_manifests.istio.operator.merging import strategic_merge
from extcp_manifests.istio.operator.overlays import apply_overlays
from extcp_manifests.istio.operator.preview import preview
from extcp_manifests.istio.rules.across_documents import check_agreement
from extcp_manifests.istio.rules.networking import validate_networking

LIMIT = 1.2
DOUBLINGS = 3

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Growth:
    """A call on an input of any size, and the size to begin with."""

    size: int
    prepare: Callable[[int], Call]
    """Returns the call for a size; only the call is timed."""


# --------------------------------------------------------------------------------------------------------- mesh config


def same_providers(size: int) -> Call:
    """Providers that both sources have."""
    return lambda: merge_mesh_config(shared=_providers(size, 1), local=_providers(size, 2), release="1.24")


def more_providers(size: int) -> Call:
    """Providers that only one source has."""
    return lambda: merge_mesh_config(shared=_providers(size, 1), local=_providers(size, 2, "b"), release="1.24")


def explained_providers(size: int) -> Call:
    """The origin of each leaf, as `merge-mesh --explain` prints it."""
    merge = merge_mesh_config(shared=_providers(size, 1), local=_providers(size, 2), release="1.24")
    return lambda: list(merge.origins())


def located_problems(size: int) -> Call:
    """Wrong providers, each with the file that has it."""
    merge = merge_mesh_config(shared=_providers(size, 70000), local=None, release="1.24")
    assert len(merge.problems) + len(merge.warnings) >= size
    return lambda: [merge.located(problem) for problem in (*merge.problems, *merge.warnings)]


def _providers(size: int, port: int, prefix: str = "a") -> Mapping[str, Any]:
    providers = []
    for number in range(size):
        opentelemetry = {"service": "otel.example.com", "port": port}
        providers.append({"name": f"{prefix}{number}", "opentelemetry": opentelemetry})
    return {"extensionProviders": providers}


# ---------------------------------------------------------------------------------------------------- IstioOperators


def flags_for_keys(release: str) -> Callable[[int], Call]:
    """Flags that each set a key of one mapping."""
    return lambda size: _flags([f"values.global.key{number}={number}" for number in range(size)], release)


def flags_for_items(release: str) -> Callable[[int], Call]:
    """Flags that each append an item to one list."""
    return lambda size: _flags([f"values.global.list.[{number}].name=a" for number in range(size)], release)


def flags_for_named_items(release: str) -> Callable[[int], Call]:
    """Flags that each change an item, selected by its name."""

    def prepare(size: int) -> Call:
        gateways = [{"name": f"gateway{number}", "enabled": False} for number in range(size)]
        base = _operator({"components": {"ingressGateways": gateways}})
        flags = [f"components.ingressGateways.[name:gateway{number}].enabled=true" for number in range(size)]
        return lambda: compose_files(base, set=flags, release=release)

    return prepare


def flags_for_one_gateway(release: str) -> Callable[[int], Call]:
    """Flags that each set a key of one item."""

    def prepare(size: int) -> Call:
        base = _operator({"components": {"ingressGateways": [{"name": "gateway"}]}})
        flags = [f"components.ingressGateways.[name:gateway].label.key{number}=a" for number in range(size)]
        return lambda: compose_files(base, set=flags, release=release)

    return prepare


def flags_for_an_item_without_a_name(release: str) -> Callable[[int], Call]:
    """Flags that each set a key of one item, which is only known by all that it has."""
    return lambda size: _flags([f"values.list.[0].key{number}=a" for number in range(size)], release)


def flags_for_names_in_lists(release: str) -> Callable[[int], Call]:
    """Flags that each select an item of a list of its own by name, and change the name, twice."""

    def prepare(size: int) -> Call:
        base = _operator({"values": {f"list{number}": [{"name": "a"}] for number in range(size)}})
        flags = [f"values.list{number}.[name:a].name=a" for number in range(size)]
        return lambda: compose_files(base, set=[*flags, *flags], release=release)

    return prepare


def wrong_flags(release: str) -> Callable[[int], Call]:
    """Flags that fail behind what they made on the way."""

    def prepare(size: int) -> Call:
        wrong = [f"values.a{number}.b.[name:x].c={number}" for number in range(size)]

        def call() -> None:
            try:
                compose_files(_operator({}), set=wrong, release=release)
            except InvalidInput:
                return
            raise AssertionError("the flags are right")

        return call

    return prepare


def previewed_flags(release: str) -> Callable[[int], Call]:
    """Flags in a preview."""

    def prepare(size: int) -> Call:
        flags = [f"values.global.proxy.key{number}={number}" for number in range(size)]
        return lambda: preview(_operator({}), set=flags, release=release)

    return prepare


def files_with_a_key(release: str) -> Callable[[int], Call]:
    """Files that each set a key of one mapping."""
    return lambda size: _files([{"values": {"global": {f"key{number}": number}}} for number in range(size)], release)


def files_with_a_list(release: str) -> Callable[[int], Call]:
    """Files that each replace one list."""
    return lambda size: _files([{"values": {"list": [{"name": f"a{number}"}]}} for number in range(size)], release)


def files_with_a_gateway(release: str) -> Callable[[int], Call]:
    """Files that each have a gateway of their own."""

    def prepare(size: int) -> Call:
        specs = [{"components": {"ingressGateways": [{"name": f"gateway{number}"}]}} for number in range(size)]
        return _files(specs, release)

    return prepare


def files_that_replace_a_mapping(release: str) -> Callable[[int], Call]:
    """Files of which every second one replaces the mapping of the one before it."""
    return lambda size: _files([{"values": {"a": {"b": 1} if number % 2 else 1}} for number in range(size)], release)


def _operator(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": dict(spec)}


def _flags(flags: list[str], release: str) -> Call:
    return lambda: compose_files(_operator({}), set=flags, release=release)


def _files(specs: list[dict[str, Any]], release: str) -> Call:
    files = [_operator(spec) for spec in specs]
    return lambda: list(compose_files(*files, release=release).origins())


def union(size: int) -> Call:
    """A list that is merged as a set of texts."""
    base = {"spec": {"meshConfig": {"trustDomainAliases": [f"a{number}" for number in range(size)]}}}
    over = {"spec": {"meshConfig": {"trustDomainAliases": [f"a{number}" for number in range(size // 2, size * 2)]}}}
    return lambda: strategic_merge(base, over)


# ----------------------------------------------------------------------------------------------------------- overlays


def overlays_on_one_object(release: str) -> Callable[[int], Call]:
    """Overlays that each set a key of one object."""

    def prepare(size: int) -> Call:
        objects = [_config_map("a", {f"key{number}": "x" for number in range(size)})]
        overlays = [_overlay("a", f"data.key{number}") for number in range(size)]
        return lambda: apply_overlays(objects, overlays, release=release)

    return prepare


def overlays_on_many_objects(release: str) -> Callable[[int], Call]:
    """Overlays that each have an object of their own."""

    def prepare(size: int) -> Call:
        objects = [_config_map(f"a{number}", {}) for number in range(size)]
        overlays = [_overlay(f"a{number}", "data.key") for number in range(size)]
        return lambda: apply_overlays(objects, overlays, release=release)

    return prepare


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def _overlay(name: str, path: str) -> Overlay:
    return Overlay(apiVersion="v1", kind="ConfigMap", name=name, patches=(Patch(path=path, value="new"),))


# --------------------------------------------------------------------------------------------------- networking rules


def missing_gateways(size: int) -> Call:
    """VirtualServices that name Gateways that are not there, beside as many Gateways."""
    gateways = [_networking("Gateway", f"gateway{number}", {"servers": []}) for number in range(size)]
    services = [_networking("VirtualService", f"a{number}", {"gateways": [f"no{number}"]}) for number in range(size)]
    return lambda: list(check_agreement([*gateways, *services]))


def missing_gateways_of_one(size: int) -> Call:
    """One VirtualService that names many Gateways that are not there."""
    gateways = [_networking("Gateway", f"gateway{number}", {"servers": []}) for number in range(size)]
    service = _networking("VirtualService", "a", {"gateways": [f"no{number}" for number in range(size)]})
    return lambda: list(check_agreement([*gateways, service]))


def servers_at_one_place(size: int) -> Call:
    """Gateways that take the same host on the same port."""
    server = {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["a.example.com"]}
    gateways = [_networking("Gateway", f"gateway{number}", {"servers": [server]}) for number in range(size)]
    return lambda: list(check_agreement(gateways))


def hosts(size: int) -> Call:
    """Hosts, half of them wildcards, each of which has names of a shorter one."""
    names = []
    for number in range(size // 2):
        names += [f"*.a{number}.example.com", f"b.a{number}.example.com"]
    return _check({"hosts": names, "http": [_route({})]})


def sni_hosts(size: int) -> Call:
    """Hosts of TLS routes, each among as many hosts."""
    names = [f"a{number}.example.com" for number in range(size)]
    match = {"sniHosts": names}
    return _check({"hosts": names, "tls": [{"match": [match], "route": _route({})["route"]}]})


def long_host(size: int) -> Call:
    """One host of many characters."""
    name = "a" * size
    match = {"sniHosts": [name]}
    return _check({"hosts": ["a.example.com"], "tls": [{"match": [match], "route": _route({})["route"]}]})


def nested_prefixes(size: int) -> Call:
    """Routes whose prefixes begin with each other, each with another header."""
    routes = []
    for number in range(size):
        headers = {"user": {"exact": f"user{number}"}}
        routes.append(_route({"uri": {"prefix": "/" + "a" * (number % 50)}, "headers": headers}))
    return _check({"hosts": ["a.example.com"], "http": routes})


def covered_prefixes(size: int) -> Call:
    """Routes behind one that takes all their requests."""
    prefixes = ["/", *(f"/a{number}" for number in range(size))]
    routes = [_route({"uri": {"prefix": prefix}}) for prefix in prefixes]
    return _check({"hosts": ["a.example.com"], "http": routes})


def same_prefix(size: int) -> Call:
    """Routes of one prefix, each with another header, before one of a longer prefix."""
    routes = []
    for number in range(size):
        headers = {f"user{number}": {"exact": "a"}}
        routes.append(_route({"uri": {"prefix": "/a"}, "headers": headers}))
        routes.append(_route({"uri": {"prefix": "/ab"}, "headers": {f"other{number}": {"exact": "a"}}}))
    return _check({"hosts": ["a.example.com"], "http": routes})


def _networking(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _route(match: Mapping[str, Any]) -> dict[str, Any]:
    route: dict[str, Any] = {"route": [{"destination": {"host": "a.example.com"}}]}
    if match:
        route["match"] = [dict(match)]
    return route


def _check(spec: Mapping[str, Any]) -> Call:
    document = _networking("VirtualService", "a", spec)
    return lambda: validate_networking(document, release="1.30")


# --------------------------------------------------------------------------------------------------------------- times


def exponent(growth: Growth) -> tuple[float, float]:
    """Return the seconds at the greatest size, and the exponent of the last doubling."""
    size = growth.size
    before = after = 0.0
    for _ in range(DOUBLINGS + 1):
        before, after = after, best(growth.prepare(size))
        size *= 2
    return after, log2(after / before)


def best(call: Call) -> float:
    """Seconds of the fastest of three runs, without the collector of cycles, which comes at any time."""
    times = []
    gc.disable()
    for _ in range(3):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
        gc.collect()
    gc.enable()
    return min(times)


GROWTHS: Mapping[str, Growth] = {
    "same_providers": Growth(500, same_providers),
    "more_providers": Growth(500, more_providers),
    "explained_providers": Growth(1000, explained_providers),
    "located_problems": Growth(250, located_problems),
    "flags_for_keys, 1.23": Growth(100, flags_for_keys("1.23")),
    "flags_for_keys, 1.24": Growth(100, flags_for_keys("1.24")),
    "flags_for_items, 1.23": Growth(100, flags_for_items("1.23")),
    "flags_for_items, 1.24": Growth(100, flags_for_items("1.24")),
    "flags_for_named_items, 1.23": Growth(100, flags_for_named_items("1.23")),
    "flags_for_named_items, 1.24": Growth(100, flags_for_named_items("1.24")),
    "flags_for_one_gateway, 1.23": Growth(100, flags_for_one_gateway("1.23")),
    "flags_for_one_gateway, 1.24": Growth(100, flags_for_one_gateway("1.24")),
    "flags_for_an_item_without_a_name, 1.23": Growth(100, flags_for_an_item_without_a_name("1.23")),
    "flags_for_an_item_without_a_name, 1.24": Growth(100, flags_for_an_item_without_a_name("1.24")),
    "flags_for_names_in_lists, 1.23": Growth(100, flags_for_names_in_lists("1.23")),
    "flags_for_names_in_lists, 1.24": Growth(100, flags_for_names_in_lists("1.24")),
    "wrong_flags, 1.24": Growth(100, wrong_flags("1.24")),
    "previewed_flags, 1.23": Growth(100, previewed_flags("1.23")),
    "previewed_flags, 1.24": Growth(100, previewed_flags("1.24")),
    "files_with_a_key, 1.23": Growth(100, files_with_a_key("1.23")),
    "files_with_a_key, 1.24": Growth(100, files_with_a_key("1.24")),
    "files_with_a_list, 1.23": Growth(100, files_with_a_list("1.23")),
    "files_with_a_list, 1.24": Growth(100, files_with_a_list("1.24")),
    "files_that_replace_a_mapping, 1.23": Growth(100, files_that_replace_a_mapping("1.23")),
    "files_that_replace_a_mapping, 1.24": Growth(100, files_that_replace_a_mapping("1.24")),
    "files_with_a_gateway, 1.23": Growth(100, files_with_a_gateway("1.23")),
    "files_with_a_gateway, 1.24": Growth(100, files_with_a_gateway("1.24")),
    "union": Growth(1000, union),
    "overlays_on_one_object, 1.23": Growth(250, overlays_on_one_object("1.23")),
    "overlays_on_one_object, 1.24": Growth(250, overlays_on_one_object("1.24")),
    "overlays_on_many_objects, 1.23": Growth(250, overlays_on_many_objects("1.23")),
    "overlays_on_many_objects, 1.24": Growth(250, overlays_on_many_objects("1.24")),
    "missing_gateways": Growth(250, missing_gateways),
    "missing_gateways_of_one": Growth(250, missing_gateways_of_one),
    "servers_at_one_place": Growth(250, servers_at_one_place),
    "hosts": Growth(500, hosts),
    "sni_hosts": Growth(500, sni_hosts),
    "long_host": Growth(10_000, long_host),
    "nested_prefixes": Growth(250, nested_prefixes),
    "covered_prefixes": Growth(250, covered_prefixes),
    "same_prefix": Growth(250, same_prefix),
}


def main() -> None:
    """Print the time and the exponent of each input, or of those that are named."""
    for name, growth in GROWTHS.items():
        is_asked_for = len(sys.argv) < 2 or any(name.startswith(asked) for asked in sys.argv[1:])
        if is_asked_for:
            seconds, found = exponent(growth)
            mark = f"  above {LIMIT}" if found > LIMIT else ""
            print(f"{name:38} {growth.size * 2**DOUBLINGS:6} {seconds:8.3f} s  {found:5.2f}{mark}", flush=True)


if __name__ == "__main__":
    main()
