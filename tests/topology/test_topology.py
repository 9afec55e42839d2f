"""The input: what is accepted, and every sentence about what is not."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from extcp_manifests import (
    ExternalCluster,
    InvalidInput,
    Istiod,
    MeshCluster,
    MeshGateways,
    Sample,
    SharedGateway,
    Topology,
    load,
    yaml,
)
from extcp_manifests.topology.clusters import folder_of
from extcp_manifests.topology.topology_file import schema

ROOT = Path(__file__).parents[2]
WRONG = sorted((Path(__file__).parent / "cases/wrong").glob("*.yaml"))
CONFIG = MeshCluster(name="cluster1", network="network1")


def by_hostname(**changes: Any) -> Topology:
    """A topology with a host name and one cluster."""
    values = {"release": "1.24", "mesh_id": "mesh1", "address": "myhost.example.com", "credential_name": "cred"}
    return Topology(**{**values, "config_cluster": CONFIG, **changes})


def problems_of(**changes: Any) -> list[str]:
    """The problems of a topology with a host name, after changes that make it wrong."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(**changes)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_input(path: Path) -> None:
    """Every problem of a wrong file is told at once, in its own sentence."""
    case = yaml.load(path.read_bytes())
    with pytest.raises(InvalidInput) as caught:
        load(case["input"])
    assert str(caught.value).splitlines() == case["problems"], case["what"]
    assert caught.value.path == caught.value.problems[0].path


def test_file_and_python_agree() -> None:
    """The example file and the same topology in Python are equal."""
    assert load(ROOT / "examples/guide.yaml") == Topology(
        name="mesh1",
        release="1.24",
        mesh_id="mesh1",
        namespace="external-istiod",
        address="myhost.example.com",
        credential_name="myhost-example-credential",
        gateway=SharedGateway(namespace="istio-system", name="istio-ingressgateway"),
        external_cluster=ExternalCluster(name="external", context="ctx-external"),
        config_cluster=MeshCluster(
            name="cluster1",
            context="ctx-cluster1",
            network="network1",
            gateways=MeshGateways(ingress=True, egress=True, east_west=True),
            sample=Sample(version="v1"),
        ),
        remote_clusters=(
            MeshCluster(
                name="cluster2",
                context="ctx-cluster2",
                network="network2",
                gateways=MeshGateways(east_west=True),
                sample=Sample(version="v2"),
            ),
        ),
        mesh_config={"accessLogFile": "/dev/stdout"},
    )


def test_path_text_and_mapping_are_the_same_source() -> None:
    """A file's path, its text and its content as a mapping give one topology."""
    path = ROOT / "examples/guide.yaml"
    text = path.read_text()
    assert load(str(path)) == load(path) == load(text) == load(yaml.load(text))


def test_release_given_beside_the_file_wins() -> None:
    """A release given to load replaces the file's, also a wrong one."""
    text = (ROOT / "examples/guide.yaml").read_text()
    assert load(text, release="1.15").release == "1.15"
    assert load(text.replace('"1.24"', '"9.9"'), release="1.31").release == "1.31"


def test_python_problems_are_spelled_as_python() -> None:
    """Problems of a Topology made in Python name its fields, with parts that were built wrong by themselves."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(
            credential_name=None,
            config_cluster=MeshCluster(name="cluster1", network="a/b", gateways=MeshGateways(east_west=1)),  # type: ignore[arg-type]
            remote_clusters=[MeshCluster(name="cluster1", network="n")],
            mesh_config={"root_namespace": "x"},
        )
    assert str(caught.value).splitlines() == [
        "config_cluster.network: 'a/b' is not a valid label value: use letters, digits and inner '-', '_' and '.', "
        "at most 63 characters",
        "config_cluster.gateways.east_west: must be true or false, not the number 1",
        "credential_name: is required with a host name: name the TLS secret of its certificate in the gateway's "
        "namespace; where a load balancer has a host name without a public certificate, give an IP address or a DNS "
        "name of your own",
        "remote_clusters[0].name: 'cluster1' is already the name of the config cluster: choose another",
        "mesh_config.root_namespace: is set from the namespace: leave it out",
    ]


_NOT_A_HOST_NAME = "is not a valid host name: use a-z, 0-9 and '-' between dots, at most 63 characters each"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("localhost", "is not fully qualified: give a host name with a dot that remote clusters can resolve"),
        ("MyHost.example.com", "has upper-case letters: write 'myhost.example.com'"),
        (
            "my_host.example.com",
            _NOT_A_HOST_NAME,
        ),
        (
            "My_Host.example.com",
            _NOT_A_HOST_NAME,
        ),
        ("MyHost", "is not fully qualified: give a host name with a dot that remote clusters can resolve"),
        ("a.example.com.", "ends in a dot: write 'a.example.com'"),
        ("A.example.com.", "ends in a dot: write 'a.example.com'"),
        ("a_b.example.com.", _NOT_A_HOST_NAME),
        (f"{'a' * 64}.com", _NOT_A_HOST_NAME),
        ("a.b.c.d.5", "ends in a number, so it is neither a host name nor an IP address"),
        ("999.1.1.1", "is not a valid IP address: write it as in 192.0.2.10 or 2001:db8::10, without a port"),
        ("010.0.0.1", "is not a valid IP address: write it as in 192.0.2.10 or 2001:db8::10, without a port"),
        ("myhost.example.com:15012", "has a port: leave ':15012' out, since the ports of istiod are fixed"),
        ("192.0.2.10:443", "has a port: leave ':443' out, since the ports of istiod are fixed"),
        ("[2001:db8::1]:443", "has a port: leave ':443' out, since the ports of istiod are fixed"),
        (
            "https://myhost.example.com/inject",
            "is a URL: leave 'https://' and all that follows the host out, and write 'myhost.example.com'",
        ),
        (
            "https://MyHost.example.com:15012/x",
            "is a URL: leave 'https://' and all that follows the host out, and write 'myhost.example.com'",
        ),
        (
            "https://[2001:DB8::1]:15012",
            "is a URL: leave 'https://' and all that follows the host out, and write '2001:db8::1'",
        ),
        ("https://localhost:15012", "is a URL: leave 'https://' and all that follows the host out"),
        ("192.0.2.0/24", "has a path or prefix length: leave '/24' out"),
        ("${EXTERNAL_ISTIOD_ADDR}", "is a placeholder: put the address in (envsubst) before"),
        ("<your address>", "is a placeholder: put the address in (envsubst) before"),
        ("{{ .address }}", "is a placeholder: put the address in (envsubst) before"),
        ("$EXTERNAL_ISTIOD_ADDR.x", "is a placeholder: put the address in (envsubst) before"),
        ("host-$X.example.com", "is a placeholder: put the address in (envsubst) before"),
        ("EXTERNAL_ISTIOD_ADDR", "is a placeholder: put the address in (envsubst) before"),
        ("YOUR_ADDRESS", "is a placeholder: put the address in (envsubst) before"),
        ("%ADDR%", "is a placeholder: put the address in (envsubst) before"),
        ("@addr@", "is a placeholder: put the address in (envsubst) before"),
        ("@ADDR@", "is a placeholder: put the address in (envsubst) before"),
        ("[2001:db8::1]", "has brackets or a zone: write the IP address alone"),
        ("2001:db8::1%eth0", "has brackets or a zone: write the IP address alone"),
        ("::ffff:192.0.2.1", "is an IPv4 address in IPv6 form: write 192.0.2.1"),
        ("127.0.0.1", "cannot be reached from another cluster: give the address of the ingress gateway"),
        ("0.0.0.0", "cannot be reached from another cluster: give the address of the ingress gateway"),
        ("169.254.1.1", "cannot be reached from another cluster: give the address of the ingress gateway"),
        ("2001:db8::", "ends in a colon, of which Istio's charts make a key: give the gateway another address"),
        ("fe80::1", "cannot be reached from another cluster: give the address of the ingress gateway"),
        ("ff02::1", "cannot be reached from another cluster: give the address of the ingress gateway"),
    ],
)
def test_wrong_addresses(address: str, problem: str) -> None:
    """An address that cannot work is refused with its reason."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(address=address)
    assert str(caught.value) == f"address: {address!r} {problem}"


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("user@host.example.com", ", and write 'host.example.com'"),
        ("https://robot:hunter2@host.example.com:15012/x", ", and write 'host.example.com'"),
        ("robot:hunter2@${HOST}", ""),
        ("robot:hunter2@localhost", ""),
    ],
)
def test_an_address_with_a_user_is_not_shown(address: str, way: str) -> None:
    """What stands before an `@` may hold a password, so only the host behind it is told."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(address=address)
    assert str(caught.value) == f"address: has a user before '@': leave the user out{way}"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"release": "${REL}"}, "release: '${REL}' is a placeholder: put the release in (envsubst) before"),
        (
            {"release": "ISTIO_VERSION"},
            "release: 'ISTIO_VERSION' is a placeholder: put the release in (envsubst) before",
        ),
        ({"hub": "${HUB}"}, "hub: '${HUB}' is a placeholder: put the value in (envsubst) before"),
        ({"hub": "@HUB@/istio"}, "hub: '@HUB@/istio' is a placeholder: put the value in (envsubst) before"),
        (
            {"charts": "https://$HOST/x"},
            "charts: 'https://$HOST/x' is a placeholder: put the value in (envsubst) before",
        ),
        (
            {"charts": "https://example.com/$X"},
            "charts: 'https://example.com/$X' is a placeholder: put the value in (envsubst) before",
        ),
        ({"mesh_id": "mesh-%ID%"}, "mesh_id: 'mesh-%ID%' is a placeholder: put the value in (envsubst) before"),
        (
            {"config_cluster": MeshCluster(name="cluster-$N", network="n")},
            "config_cluster.name: 'cluster-$N' is a placeholder: put the value in (envsubst) before",
        ),
        (
            {"config_cluster": MeshCluster(name="c", network="n", context="@CTX@")},
            "config_cluster.context: '@CTX@' is a placeholder: put the value in (envsubst) before",
        ),
    ],
)
def test_placeholders(changes: dict[str, Any], problem: str) -> None:
    """A value that no program has put in yet is told as that, whatever else is wrong with its text."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(**changes)
    assert str(caught.value) == problem


_WITH_QUERY = "has a query, after its '?': leave it out, since it would appear in the files that are written"
_HUB_WITH_USER = (
    "hub: has something before an '@': leave user, password and digest out, since it would appear in the "
    "files that are written; a password belongs in an image pull secret"
)
_CHARTS_WITH_USER = (
    "charts: has something before an '@': leave user and password out, since it would appear in the files that "
    "are written; give them to what fetches the charts, as by `helm registry login` or a repository of Argo CD"
)
_SERVER_WITH_USER = (
    "config_cluster.api_server: has something before an '@': leave user and password out, "
    "since istiod has a token for it"
)


def with_api_server(url: str) -> dict[str, Any]:
    """The config cluster with the URL of its API server."""
    return {"config_cluster": MeshCluster(name="cluster1", network="network1", api_server=url)}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hub": "robot:hunter2@reg.example.com/istio"}, _HUB_WITH_USER),
        ({"hub": "robot:hunt/er2@reg.example.com/istio"}, _HUB_WITH_USER),
        ({"hub": "robot:hunter2@${HUB}"}, _HUB_WITH_USER),
        ({"hub": "reg.example.com/istio?token=hunter2"}, f"hub: {_WITH_QUERY}"),
        ({"charts": "https://reg.example.com/charts?token=hunter2"}, f"charts: {_WITH_QUERY}"),
        ({"hub": "reg.example.com/istio@sha256:0"}, _HUB_WITH_USER),
        ({"charts": "https://robot:hunter2@reg.example.com/charts"}, _CHARTS_WITH_USER),
        ({"charts": "https://robot:1/hunter2@reg.example.com/charts"}, _CHARTS_WITH_USER),
        ({"charts": "oci://hunter2@reg.example.com/charts"}, _CHARTS_WITH_USER),
        (with_api_server("https://robot:hunter2@192.0.2.20:6443"), _SERVER_WITH_USER),
        (with_api_server("https://robot:1/hunter2@192.0.2.20:6443"), _SERVER_WITH_USER),
        (with_api_server("https://robot:hunter2@${SERVER}"), _SERVER_WITH_USER),
    ],
)
@pytest.mark.parametrize("more", [{}, {"release": "1.31", "mesh_id": ""}])
def test_passwords_in_urls_are_refused_and_never_told(
    changes: dict[str, Any], problem: str, more: dict[str, Any]
) -> None:
    """A password would stand in files; no problem shows the text, whatever else is wrong."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(**changes, **more)
    assert problem in str(caught.value).splitlines()
    assert len(caught.value.problems) == (2 if more else 1)
    assert "hunt" not in f"{caught.value!s}{caught.value!r}{caught.value.problems!r}"


_NO_IP = (
    "has a host that is not a valid IP address: write it as in https://192.0.2.20:6443 or https://[2001:db8::20]:6443"
)
_NO_PORT = "has a port that is not from 1 to 65535: write it as in https://192.0.2.20:6443"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://192.0.2.20:99999", _NO_PORT),
        ("https://192.0.2.20:65536", _NO_PORT),
        ("https://192.0.2.20:0", _NO_PORT),
        ("https://[:::::]:6443", _NO_IP),
        ("https://[192.0.2.20]:6443", _NO_IP),
        ("https://127.1:6443", _NO_IP),
        ("https://2130706433:6443", _NO_IP),
        ("https://0x7f000001:6443", _NO_IP),
        ("https://192.0.2.0x14:6443", _NO_IP),
        ("https://192.0.2.20.:6443", _NO_IP),
        ("https://192.0.2.020:6443", _NO_IP),
        ("https://$SERVER:6443", "is a placeholder: put the URL in (envsubst) before"),
        ("API_SERVER", "is a placeholder: put the URL in (envsubst) before"),
    ],
)
def test_api_servers_that_cannot_be(url: str, problem: str) -> None:
    """A port or a host that no API server can have is refused with its reason."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(**with_api_server(url))
    assert str(caught.value) == f"config_cluster.api_server: {problem}"


@pytest.mark.parametrize(
    "url",
    [
        "https://192.0.2.20",
        "https://192.0.2.20:65535",
        "https://[2001:db8::20]:6443",
        "https://1.example.com:1/k8s/clusters/c-1",
        "https://api1:6443",
    ],
)
def test_api_servers(url: str) -> None:
    """URLs of API servers stay as they are."""
    assert by_hostname(**with_api_server(url)).config_cluster.api_server == url


_BLOB, _GHCR = "https://blob.istio.io/istio-release/charts", "oci://ghcr.io/istio/release/charts"


@pytest.mark.parametrize(
    ("name", "text", "instead"),
    [
        ("hub", "gcr.io/istio-release", "docker.io/istio"),
        ("hub", "registry.istio.io/release", "docker.io/istio"),
        ("charts", "https://istio-release.storage.googleapis.com/charts", _BLOB),
        ("charts", "oci://gcr.io/istio-release/charts", _GHCR),
        ("charts", "oci://registry.istio.io/release/charts", _GHCR),
        ("hub", "docker.io/istio", None),
        ("hub", "mirror.example.com/gcr.io/istio-release", None),
        ("hub", "gcr.io/istio-release-of-ours", None),
        ("charts", "https://istio-release.storage.googleapis.com.example.com/charts", None),
        ("charts", _BLOB, None),
        ("charts", _GHCR, None),
    ],
)
def test_places_that_are_taken_down(name: str, text: str, instead: str | None) -> None:
    """Istio's registries on Google's cloud are warned of while they hold the release, and refused from 1.31."""
    told = [str(each) for each in by_hostname(release="1.30", **{name: text}).warnings]
    if instead is None:
        assert told == []
        assert by_hostname(release="1.31", **{name: text}).warnings == ()
        return
    assert told == [
        f"spec.{name}: {text!r} is taken down in December 2026: write {instead!r}, or a mirror of it",
    ]
    assert by_hostname(release="1.31", **{name: instead}).warnings == ()
    with pytest.raises(InvalidInput) as caught:
        by_hostname(release="1.31", **{name: text})
    assert str(caught.value) == f"{name}: {text!r} has nothing of Istio 1.31: write {instead!r}, or a mirror of it"


_OVERRIDE = "set it in the overrides of a part: spec.istiod.overrides, spec.gateway.overrides, or those of a cluster"


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("version", "the Istio minor is spec.release"),
        ("profile", f"it follows from the release and from what a cluster is for; for more, {_OVERRIDE}"),
        ("trustDomain", "it is a part of the mesh config: set spec.meshConfig.trustDomain"),
        ("clusters", "the first remote cluster is spec.configCluster, the others are spec.remoteClusters"),
        ("clusterName", "the name of a cluster is its key name"),
        (
            "network",
            "every remote cluster has its own: set network in spec.configCluster and in each of spec.remoteClusters",
        ),
        *((key, _OVERRIDE) for key in ("pilot", "values", "k8s", "volumes")),
        ("env", f"pods are described by spec.istiod and spec.gateway; elsewhere, {_OVERRIDE}"),
        ("hpaSpec", "autoscaling has min and max, in spec.istiod and spec.gateway"),
        ("imagePullSecrets", "it is the same in all clusters: set spec.pullSecrets"),
        ("image", "images come from spec.hub and spec.tag, or those in spec.istiod and spec.gateway"),
        ("serviceType", "the shared gateway's Service is spec.gateway.service; its type is the key type"),
    ],
)
def test_keys_that_people_look_for(key: str, way: str) -> None:
    """A key that stands elsewhere, or that no topology has, is told with the way there."""
    content = yaml.load((ROOT / "examples/guide.yaml").read_text())
    content["spec"][key] = "x"
    with pytest.raises(InvalidInput) as caught:
        load(content)
    assert str(caught.value) == f"spec.{key}: unknown key: {way}"


@pytest.mark.parametrize("key", ["hub", "charts"])
def test_keys_of_the_whole_in_a_cluster(key: str) -> None:
    """The registry and the repository are the same for all clusters."""
    content = yaml.load((ROOT / "examples/guide.yaml").read_text())
    content["spec"]["remoteClusters"][0][key] = "x"
    with pytest.raises(InvalidInput) as caught:
        load(content)
    problem = f"unknown key: it is the same in all clusters: set spec.{key}"
    assert str(caught.value) == f"spec.remoteClusters[0].{key}: {problem}"


def test_bytes_are_no_text() -> None:
    """Bytes are refused wherever a text is wanted."""
    names = ("release", "mesh_id", "namespace", "revision", "address", "hub", "charts")
    cluster: Any = {"name": b"c", "network": b"n", "context": b"x", "api_server": b"https://192.0.2.20"}
    with pytest.raises(InvalidInput) as caught:
        by_hostname(**dict.fromkeys(names, b"x"), config_cluster=MeshCluster(**cluster))
    paths = [each.path for each in caught.value.problems]
    assert sorted(paths) == sorted([*names, *(f"config_cluster.{name}" for name in cluster)])
    assert {each.message for each in caught.value.problems} == {"must be text, not bytes: decode it"}


@pytest.mark.parametrize("name", ["EU_WEST", "a%C3%A9b", "a$1", "admin@prod@west", "a<b"])
def test_names_that_are_no_placeholders(name: str) -> None:
    """Where a name may be almost anything, only what is surely a placeholder is one."""
    assert by_hostname(config_cluster=MeshCluster(name=name, network="EU_WEST")).config_cluster.name == name


@pytest.mark.parametrize(("release", "works"), [("1.29", False), ("1.30", True), ("1.31", True)])
def test_ipv6_from_1_30(release: str, works: bool) -> None:
    """IPv6 is for releases whose charts know it."""
    values = {"release": release, "address": "2001:db8::10", "credential_name": None}
    if works:
        assert by_hostname(**values).address == "2001:db8::10"
    else:
        with pytest.raises(InvalidInput, match=r"^address: IPv6 works from Istio 1\.30"):
            by_hostname(**values)


@pytest.mark.parametrize(("release", "works"), [("1.19", False), ("1.20", True)])
def test_revision_with_an_ip_address_from_1_20(release: str, works: bool) -> None:
    """A revision and an IP address go together only where the charts honour the revision."""
    values = {"release": release, "address": "192.0.2.10", "credential_name": None, "revision": "canary"}
    if works:
        assert by_hostname(**values).revision == "canary"
    else:
        with pytest.raises(InvalidInput, match=r"^revision: a revision works with an IP address from Istio 1\.20"):
            by_hostname(**values)


@pytest.mark.parametrize(
    "name",
    [
        *("12", "1e3", "1e-3", "0x1p4", "t", "f", "true", "false", "inf", "infinity", "nan"),
        *("on", "off", "y", "yes", "no", "n", "null", "0b1", "0o17", "0x1f", "017"),
    ],
)
def test_names_that_istio_would_retype(name: str) -> None:
    """istioctl and the charts read some names as numbers and booleans, where they stand without quotes."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(revision=name, namespace=name, gateway=SharedGateway(name=name, namespace=name))
    told = f"Istio would read {name!r} as a number or a boolean: choose a name with other letters"
    places = [problem.path for problem in caught.value.problems if problem.message == told]
    assert places == ["namespace", "revision", "gateway.namespace", "gateway.name"]


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
def test_names_that_break_the_charts(name: str) -> None:
    """Mesh ID and config cluster stand between double quotes in Istio's charts; the cluster's only from 1.18."""
    config = MeshCluster(name=name, network="n")
    problem = f"{name!r} has a quotation mark or backslash, which breaks Istio's charts: leave it out"
    with pytest.raises(InvalidInput) as caught:
        by_hostname(mesh_id=name, config_cluster=config)
    assert str(caught.value).splitlines() == [f"mesh_id: {problem}", f"config_cluster.name: {problem}"]
    assert by_hostname(release="1.17", config_cluster=config).config_cluster.name == name


@pytest.mark.parametrize("revision", ["1-24-6", "canary", "v1", "e3", "a" * 56])
def test_revisions_that_work(revision: str) -> None:
    """Other DNS labels are good revisions, as long as istiod-REVISION is one too."""
    assert by_hostname(revision=revision).names.istiod == f"istiod-{revision}"


def test_a_topology_is_frozen_to_the_bottom() -> None:
    """Neither the topology nor what it was made from can change it later."""
    given: dict[str, Any] = {"defaultConfig": {"proxyMetadata": {"A": "1"}}}
    topology = by_hostname(mesh_config=given)
    given["defaultConfig"]["proxyMetadata"]["A"] = "2"
    assert topology.mesh_config == {"defaultConfig": {"proxyMetadata": {"A": "1"}}}
    with pytest.raises(Exception, match="frozen"):
        topology.release = "1.15"  # type: ignore[misc]


def test_problems_of_one_part_hide_none_of_another() -> None:
    """A wrong value hides only the rules that need it, in the external cluster, the gateway and every other part."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(
            namespace="istio-system",
            revision="no_label",
            address="2001:db8::10",
            credential_name=None,
            gateway=SharedGateway(name="no_label"),
            external_cluster=ExternalCluster(name="cluster1", context=""),
            config_cluster=MeshCluster(name="cluster1", network="n", context="c2"),
            remote_clusters=(
                MeshCluster(name="c2", network="n", context=5),  # type: ignore[arg-type]
                MeshCluster(name="c3", network="n", context="c2"),
            ),
            mesh_config={"defaultConfig": 5, "a": {"b": {1: 2}}},
        )
    label = "is not a valid DNS label: use a-z, 0-9 and inner '-', at most"
    assert str(caught.value).splitlines() == [
        f"revision: 'no_label' {label} 56 characters",
        f"gateway.name: 'no_label' {label} 63 characters",
        "external_cluster.context: has 0 characters: use 1 to 253",
        "remote_clusters[0].context: must be text, not the number 5: put it in quotes",
        "address: IPv6 works from Istio 1.30, since the charts of 1.24 take it for a host name: "
        "use a host name or an IPv4 address",
        "namespace: 'istio-system' is the gateway's namespace, which has an istiod of its own: choose another",
        "config_cluster.name: 'cluster1' is already the name of the external cluster: choose another",
        "remote_clusters[1].context: 'c2' is already the context of cluster 'cluster1': give each cluster its own",
        "mesh_config.defaultConfig: must be a mapping, not the number 5",
        "mesh_config.a: is unknown to Istio: did you mean 'ca'?",
        "mesh_config.a.b: the key 1 is no text: write it as a string",
    ]


def test_a_wrong_value_is_not_taken_for_its_default() -> None:
    """Where a namespace or the external cluster's name is wrong, nothing is reported about the default of it."""
    assert problems_of(
        namespace="istio-system",
        gateway=SharedGateway(namespace="a_b"),
        external_cluster=ExternalCluster(name=""),
        config_cluster=MeshCluster(name="external", network="n"),
    ) == [
        "gateway.namespace: 'a_b' is not a valid DNS label: use a-z, 0-9 and inner '-', at most 63 characters",
        "external_cluster.name: has 0 characters: use 1 to 253",
    ]


def test_a_wrong_value_hides_no_problem_of_the_next_one() -> None:
    """A rule for several values is left out only for the one that is wrong by itself."""
    other = MeshCluster(name="", network="N")
    assert problems_of(
        release="1.31",
        address="192.0.2.1",
        credential_name=None,
        namespace="a_b",
        gateway=SharedGateway(namespace="sample"),
        hub="https://mirror.example.com",
        charts="oci://gcr.io/istio-release/charts",
        remote_clusters=[other],
    ) == [
        "namespace: 'a_b' is not a valid DNS label: use a-z, 0-9 and inner '-', at most 63 characters",
        "hub: 'https://mirror.example.com' is not a registry of images: write it as in registry.example.com/istio, "
        "without https:// and tag",
        "remote_clusters[0].name: has 0 characters: use 1 to 253",
        f"charts: 'oci://gcr.io/istio-release/charts' has nothing of Istio 1.31: write {_GHCR!r}, or a mirror of it",
        "gateway.namespace: 'sample' is the namespace of the sample workloads: choose another",
        "remote_clusters[0].network: 'N' cannot stand in a webhook's service path, which an IP address needs: "
        "use a-z, 0-9, '-' and '.', or expose istiod by a host name",
    ]


def test_clusters_are_compared_where_the_list_of_remote_clusters_is_wrong() -> None:
    """The config cluster is compared with the external cluster, whatever the remote clusters are."""
    assert problems_of(remote_clusters=5, config_cluster=MeshCluster(name="external", network="n")) == [
        "remote_clusters: must be a list, not the number 5",
        "config_cluster.name: 'external' is already the name of the external cluster: choose another",
    ]


def test_clusters_of_one_name_share_the_context_that_follows_from_it() -> None:
    """A context is reported beside a name that is taken where both clusters were given the context."""
    taken = "'cluster1' is already the name of the config cluster: choose another"
    context = "'cluster1' is already the context of cluster 'cluster1': give each cluster its own"
    remote_clusters = [CONFIG, MeshCluster(name="cluster1", network="n", context="cluster1")]
    assert problems_of(remote_clusters=remote_clusters) == [
        f"remote_clusters[0].name: {taken}",
        f"remote_clusters[1].name: {taken}",
        f"remote_clusters[1].context: {context}",
    ]


def test_a_topology_is_read_again_with_all_its_problems() -> None:
    """A topology that was copied with a wrong value reports it, and rules between the others, when it is read again."""
    copied = by_hostname().model_copy(update={"mesh_id": "", "credential_name": None})
    with pytest.raises(InvalidInput) as caught:
        Topology.model_validate(copied)
    assert [problem.path for problem in caught.value.problems] == ["mesh_id", "credential_name"]


@pytest.mark.parametrize(
    "mesh_config",
    [5, [1], {1: 1}, {"a": object()}, {"a": iter([1])}, {"\ud800": 1}, {"a": {"b": float("nan")}}, {"a": b""}],
)
def test_mesh_config_that_is_no_plain_data(mesh_config: Any) -> None:
    """Whatever is no plain data is told as a problem of the mesh config."""
    with pytest.raises(InvalidInput) as caught:
        by_hostname(mesh_config=mesh_config)
    assert caught.value.path.startswith("mesh_config")


def test_mesh_config_that_is_nested_without_end() -> None:
    """Depth is limited."""
    nested: dict[str, Any] = {}
    nested["a"] = nested
    with pytest.raises(InvalidInput, match=r"is nested deeper than 100 levels: flatten it$"):
        by_hostname(mesh_config=nested)


def test_long_and_unprintable_input_is_told_in_one_short_line() -> None:
    """Problems stay one line each, without control characters, whatever the input holds."""
    with pytest.raises(InvalidInput) as caught:
        load(
            {
                "apiVersion": "extcp-manifests/v1",
                "kind": "ExternalControlPlane",
                "metadata": {"name": "m"},
                "spec": {"a\nb\x1b[31m": 1, "x" * 10**6: 1, "address": ":" * 10**6 + "\n", "meshID": 10**5000},
            }
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    assert max(map(len, lines)) < 1100
    assert "\x1b" not in str(caught.value)
    assert "spec.meshID: must be text, not a number: put it in quotes" in lines


@pytest.mark.parametrize("source", ["[]", "text", "null", "- a\n- b\n"])
def test_a_file_that_is_no_mapping(source: str) -> None:
    """Anything but a mapping at the top is one problem."""
    with pytest.raises(InvalidInput, match="must be a mapping"):
        load(source + "\n")


def test_the_schema_accepts_the_example_and_refuses_typos() -> None:
    """The published JSON Schema is valid, fits the example and catches unknown keys."""
    content = yaml.load((ROOT / "examples/guide.yaml").read_bytes())
    published = schema()
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(content, published)
    content["spec"]["meshId"] = "mesh1"
    with pytest.raises(jsonschema.ValidationError, match="meshId"):
        jsonschema.validate(content, published)


def test_every_key_of_the_schema_has_a_description() -> None:
    """An editor can explain every key of a cluster and of the whole."""
    published = schema()
    for properties in (published["properties"]["spec"], *published["$defs"].values()):
        for key, value in properties["properties"].items():
            assert value.get("description"), key


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("cluster1", "cluster1"),
        ("prod.k8s.example.com", "prod.k8s.example.com"),
        ("Cluster1", "cluster1-0257a91f5f"),
        ("../../etc", "etc-74ccf3c5b4"),
        ("..", "5ec1f7e700"),
        ("con", "con-1143da2bc5"),
        ("nul.txt", "nul-txt-7f3cbdd58a"),
        ("runbook.md", "runbook-md-aceeac5f9d"),
        ("a/b", "a-b-c14cddc033"),
        ("a b", "a-b-c8687a08aa"),
        ("-f", "f-0e6503c1ec"),
        ("é", "4a99557e40"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-c675a2e604",
        ),
    ],
)
def test_folders(name: str, folder: str) -> None:
    """A cluster's folder is its name where every file system can bear it, else a stand-in with a digest."""
    assert folder_of(name) == folder


def test_a_changed_copy_is_checked() -> None:
    """`with_` changes fields of a copy, and refuses what is wrong then; the topology itself stays."""
    topology = by_hostname()
    changed = topology.with_(release="1.30", istiod=Istiod(replicas=2))
    assert (changed.release, changed.istiod.replicas, topology.istiod.replicas) == ("1.30", 2, None)
    assert changed.with_(release=topology.release, istiod=Istiod()) == topology
    with pytest.raises(InvalidInput) as caught:
        topology.with_(mesh_id="", release="1")
    assert [problem.path for problem in caught.value.problems] == ["release", "mesh_id"]
