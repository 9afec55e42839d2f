"""Each builder alone."""

import inspect
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from extcp_manifests import InvalidInput, builders, yaml
from extcp_manifests.builders.address import parse_address
from extcp_manifests.builders.secrets import remote_secret_name
from extcp_manifests.documents.model import Model
from extcp_manifests.documents.secret import Secret
from extcp_manifests.istio.releases import RELEASES, find_release
from extcp_manifests.records import Record

CA = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"


def secret(**changes: object) -> Secret:
    """A remote secret for cluster2."""
    inputs: dict[str, object] = {
        "release": "1.24",
        "cluster": "cluster2",
        "server": "https://192.0.2.20:6443",
        "ca": CA,
        "token": SecretStr("abc.def"),
        **changes,
    }
    return builders.RemoteSecret(**inputs).build()  # type: ignore[arg-type]


def test_text_and_records_are_the_same_inputs() -> None:
    """Releases and addresses may be given as text or parsed."""
    text = builders.RemoteCluster(release="1.24", address="192.0.2.10", cluster="c", network="n")
    parsed = builders.RemoteCluster(
        release=find_release("1.24"), address=parse_address("192.0.2.10"), cluster="c", network="n"
    )
    assert text.build() == parsed.build()


@pytest.mark.parametrize("name", builders.__all__)
def test_builders_are_frozen_and_keyword_only(name: str) -> None:
    """No builder has setters or positional inputs, and each has one public method."""
    builder: Any = getattr(builders, name)
    assert Record in builder.__mro__
    kinds = {parameter.kind for parameter in inspect.signature(builder).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}
    methods = [key for key, value in inspect.getmembers(builder, inspect.isfunction) if not key.startswith("_")]
    assert methods == ["build", "with_"]
    (base,) = builder.__orig_bases__
    assert issubclass(get_args(base)[0], Model)


def test_documents_are_frozen() -> None:
    """A document cannot be changed; a changed one is built anew."""
    document = builders.SystemNamespace(network="network1").build()
    with pytest.raises(AttributeError, match="frozen"):
        document.kind = "Secret"  # type: ignore


def test_none_is_absent_and_empty_is_written() -> None:
    """None is left out; empty text, False and empty collections are not."""
    document = builders.ExternalIstiod(
        release="1.24", address="myhost.example.com", mesh_id="mesh1", cluster="cluster1", network="network1"
    ).build()
    plain = document.plain()
    assert "revision" not in plain["spec"]
    assert plain["spec"]["components"]["pilot"]["k8s"]["env"][0] == {
        "name": "INJECTION_WEBHOOK_CONFIG_NAME",
        "value": "",
    }
    assert plain["spec"]["values"]["global"]["configValidation"] is False


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("myhost.example.com", ["", ""]),
        ("192.0.2.10", ["istio-sidecar-injector-canary-external-istiod", "istio-validator-canary-external-istiod"]),
    ],
)
def test_every_name_carries_the_revision(address: str, names: list[str]) -> None:
    """Overlay, ConfigMaps, webhooks and SHARED_MESH_CONFIG of a revised istiod."""
    spec = (
        builders.ExternalIstiod(
            release="1.24", address=address, mesh_id="m", cluster="c", network="n", revision="canary"
        )
        .build()
        .plain()["spec"]
    )
    k8s = spec["components"]["pilot"]["k8s"]
    assert spec["revision"] == "canary"
    assert [volume["configMap"]["name"] for volume in spec["unvalidatedValues"]["pilot"]["volumes"]] == [
        "istio-canary",
        "istio-sidecar-injector-canary",
    ]
    env = {entry["name"]: entry["value"] for entry in k8s["env"]}
    assert [env["INJECTION_WEBHOOK_CONFIG_NAME"], env["VALIDATION_WEBHOOK_CONFIG_NAME"]] == names
    assert env["SHARED_MESH_CONFIG"] == "istio-canary"


def test_mounts_that_overlays_of_people_leave_alone() -> None:
    """From 1.19 istiod's mounts are values of the chart, so that a person's own k8s.overlays replace nothing."""
    istiod = builders.ExternalIstiod(
        release="1.19", address="192.0.2.10", mesh_id="m", cluster="c", network="n", revision=None
    )
    assert istiod.build().plain()["spec"]["values"]["pilot"] == {
        "volumes": [
            {"name": "config-volume", "configMap": {"name": "istio"}},
            {"name": "inject-volume", "configMap": {"name": "istio-sidecar-injector"}},
        ],
        "volumeMounts": [
            {"name": "config-volume", "mountPath": "/etc/istio/config"},
            {"name": "inject-volume", "mountPath": "/var/lib/istio/inject"},
        ],
    }


@pytest.mark.parametrize(("release", "key"), [("1.21", "values"), ("1.22", "unvalidatedValues"), ("1.29", "values")])
def test_where_istioctl_takes_mounts(release: str, key: str) -> None:
    """From 1.22 to 1.28 istioctl refuses kinds of volumes among the values that it validates."""
    istiod = builders.ExternalIstiod(release=release, address="192.0.2.10", mesh_id="m", cluster="c", network="n")
    spec = istiod.build().plain()["spec"]
    assert [name for name in ("values", "unvalidatedValues") if "pilot" in spec.get(name, {})] == [key]


def test_mounts_before_there_were_values() -> None:
    """Up to 1.18 the Deployment is patched, under the name that follows the revision."""
    istiod = builders.ExternalIstiod(
        release="1.18", address="h.example.com", mesh_id="m", cluster="c", network="n", revision="canary"
    )
    spec = istiod.build().plain()["spec"]
    [overlay] = spec["components"]["pilot"]["k8s"]["overlays"]
    assert overlay["name"] == "istiod-canary"
    assert [yaml.load(patch["value"]) for patch in overlay["patches"]] == [
        {"name": "config-volume", "configMap": {"name": "istio-canary"}},
        {"name": "inject-volume", "configMap": {"name": "istio-sidecar-injector-canary"}},
        {"name": "config-volume", "mountPath": "/etc/istio/config"},
        {"name": "inject-volume", "mountPath": "/var/lib/istio/inject"},
    ]
    assert "pilot" not in spec["values"]


@pytest.mark.parametrize(
    ("release", "hub", "written"),
    [
        ("1.29", None, None),
        ("1.30", None, "docker.io/istio"),
        ("1.31", None, None),
        ("1.31", "mirror.example.com/istio", "mirror.example.com/istio"),
    ],
)
def test_registries(release: str, hub: str | None, written: str | None) -> None:
    """Images come from the release's own registry, unless that ends or a mirror is wanted."""
    istiod = builders.ExternalIstiod(
        release=release, address="192.0.2.10", mesh_id="m", cluster="c", network="n", hub=hub
    )
    for operator in (istiod, builders.ControlPlaneGateway(release=release, hub=hub)):
        assert operator.build().plain()["spec"].get("hub") == written


def test_ipv6_addresses_stand_in_brackets_beside_a_port() -> None:
    """An IPv6 address is canonical, and in brackets only where a port follows."""
    inputs: dict[str, Any] = {"release": "1.30", "address": "2001:DB8:0::10", "cluster": "c", "network": "n"}
    remote = builders.RemoteCluster(**inputs).build().plain()["spec"]["values"]
    assert remote["global"]["remotePilotAddress"] == "2001:db8::10"
    istiod = builders.ExternalIstiod(**inputs, mesh_id="m").build().plain()["spec"]
    assert istiod["values"]["global"]["caAddress"] == "'[2001:db8::10]:15012'", "templates write it without quotes"
    assert istiod["meshConfig"]["defaultConfig"] == {"discoveryAddress": "[2001:db8::10]:15012"}


def test_the_operators_mesh_config_is_merged() -> None:
    """The operator's values join ours; a root certificate of the operator's own beats the guide's."""
    mesh_config = {"enableTracing": True, "defaultConfig": {"proxyMetadata": {"XDS_ROOT_CA": "/my.pem", "A": "1"}}}
    document = builders.ExternalIstiod(
        release="1.24", address="h.example.com", mesh_id="m", cluster="c", network="n", mesh_config=mesh_config
    ).build()
    assert document.plain()["spec"]["meshConfig"] == {
        "rootNamespace": "external-istiod",
        "defaultConfig": {
            "discoveryAddress": "h.example.com:15012",
            "proxyMetadata": {
                "XDS_ROOT_CA": "/my.pem",
                "CA_ROOT_CA": "/etc/ssl/certs/ca-certificates.crt",
                "A": "1",
            },
        },
        "enableTracing": True,
    }
    assert mesh_config == {
        "enableTracing": True,
        "defaultConfig": {"proxyMetadata": {"XDS_ROOT_CA": "/my.pem", "A": "1"}},
    }


def test_a_shared_gateway_of_another_name() -> None:
    """It has labels of its own, switches the profile's gateway off, and its namespace stands in the values."""
    spec = builders.ControlPlaneGateway(release="1.24", name="istio-cp", namespace="ingress").build().plain()["spec"]
    first, second = spec["components"]["ingressGateways"]
    assert first["label"] == {"app": "istio-cp", "istio": "cp"}
    assert second == {"name": "istio-ingressgateway", "enabled": False}
    assert spec["values"] == {"global": {"istioNamespace": "ingress"}}
    gateway = builders.IstiodGateway(release="1.24", address="192.0.2.10", gateway="istio-cp").build()
    assert gateway.spec.selector == {"istio": "cp"}


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (
            lambda: builders.RemoteCluster(release="1.29", address="2001:db8::1", cluster="c", network="n").build(),
            "address: IPv6 works from Istio 1.30, since the charts of 1.29 take it for a host name: "
            "use a host name or an IPv4 address",
        ),
        (
            lambda: builders.ConfigCluster(
                release="1.19", address="192.0.2.1", cluster="c", network="n", revision="r"
            ).build(),
            "revision: a revision works with an IP address from Istio 1.20, since webhooks of 1.19 call a Service that "
            "its charts do not make: use a host name or leave the revision out",
        ),
        (
            lambda: builders.RemoteCluster(release="1.24", address="192.0.2.1", cluster="A", network="n").build(),
            "cluster: 'A' cannot stand in a webhook's service path, which an IP address needs: use a-z, 0-9, '-' and "
            "'.', or expose istiod by a host name",
        ),
        (
            lambda: builders.IstiodGateway(release="1.24", address="h.example.com").build(),
            "credential_name: is required with a host name: name the TLS secret of its certificate in the gateway's "
            "namespace; where a load balancer has a host name without a public certificate, give an IP address or a "
            "DNS name of your own",
        ),
        (
            lambda: builders.IstiodGateway(release="1.24", address="192.0.2.1", credential_name="c").build(),
            "credential_name: has no use with an IP address, where istiod ends TLS itself: leave it out",
        ),
        (
            lambda: builders.ExternalIstiod(
                release="1.19", address="192.0.2.1", mesh_id="m", cluster="c", network="n", revision="r"
            ).build(),
            "revision: a revision works with an IP address from Istio 1.20, since webhooks of 1.19 call a Service that "
            "its charts do not make: use a host name or leave the revision out",
        ),
        (
            lambda: builders.IstiodGateway(release="1.24", address="2001:db8::1").build(),
            "address: IPv6 works from Istio 1.30, since the charts of 1.24 take it for a host name: "
            "use a host name or an IPv4 address",
        ),
        (
            lambda: builders.ExposeServices(release="1.24.6").build(),
            "release: '1.24.6' is not a known Istio release: write the minor '1.24'",
        ),
        (
            lambda: secret(tls_server_name="api.example.com"),
            "tls_server_name: Istio 1.24 has no tls-server-name in remote secrets: leave it out or use 1.26 or later",
        ),
    ],
)
def test_what_a_builder_alone_refuses(build: object, problem: str) -> None:
    """A document that could not work is not built."""
    with pytest.raises(InvalidInput) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value) == problem


def test_remote_secret() -> None:
    """The Secret and the kubeconfig in it are what istioctl writes."""
    document = secret(release="1.28").plain()
    text = document["stringData"].pop("cluster2")
    assert document == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "istio-remote-secret-cluster2",
            "namespace": "external-istiod",
            "labels": {"istio/multiCluster": "true"},
            "annotations": {"networking.istio.io/cluster": "cluster2"},
        },
        "stringData": {},
    }
    ca = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmJtOTBJR0VnWTJWeWRHbG1hV05oZEdVPQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg=="
    assert b64decode(ca).decode() == CA
    assert text == (
        "apiVersion: v1\n"
        "clusters:\n"
        "- cluster:\n"
        f"    certificate-authority-data: {ca}\n"
        "    server: https://192.0.2.20:6443\n"
        "  name: cluster2\n"
        "contexts:\n"
        "- context:\n"
        "    cluster: cluster2\n"
        "    user: cluster2\n"
        "  name: cluster2\n"
        "current-context: cluster2\n"
        "kind: Config\n"
        "users:\n"
        "- name: cluster2\n"
        "  user:\n"
        "    token: abc.def\n"
    )


@pytest.mark.parametrize("release", RELEASES)
def test_remote_secret_by_release(release: str) -> None:
    """Up to 1.27 two empty fields are written, as istioctl's libraries did."""
    document = secret(release=release).plain()
    kubeconfig = yaml.load(document["stringData"]["cluster2"])
    old = int(release.split(".")[1]) <= 27
    assert document["metadata"].get("creationTimestamp", "absent") == (None if old else "absent")
    assert kubeconfig.get("preferences", "absent") == ({} if old else "absent")
    assert list(kubeconfig) == sorted(kubeconfig)


def test_config_secret() -> None:
    """The config cluster's Secret has a name and a key of its own."""
    document = secret(type="config").plain()
    assert document["metadata"]["name"] == "istio-kubeconfig"
    assert document["metadata"]["annotations"] == {"networking.istio.io/cluster": "cluster2"}
    assert list(document["stringData"]) == ["config"]


def test_tls_server_name() -> None:
    """From 1.26 the kubeconfig can name the server's certificate."""
    text = secret(release="1.26", tls_server_name="api.example.com").plain()["stringData"]["cluster2"]
    assert yaml.load(text)["clusters"][0]["cluster"]["tls-server-name"] == "api.example.com"


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        ("cluster2", "istio-remote-secret-cluster2"),
        ("a.b", "istio-remote-secret-a.b"),
        ("Cluster_2", "istio-remote-secret-cluster-2-f6155f3f3e"),
    ],
)
def test_names_of_remote_secrets(cluster: str, name: str) -> None:
    """A cluster that no object can be named after gets a stand-in; istiod goes by the key."""
    assert remote_secret_name(cluster) == name
    assert list(secret(cluster=cluster).plain()["stringData"]) == [cluster]


def test_service_account_token() -> None:
    """The Secret that Kubernetes 1.24 and later fill with a lasting token."""
    assert builders.ServiceAccountToken().build().plain() == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "istio-reader-service-account-istio-remote-secret-token",
            "namespace": "external-istiod",
            "annotations": {"kubernetes.io/service-account.name": "istio-reader-service-account"},
        },
        "type": "kubernetes.io/service-account-token",
    }


def test_tokens_show_in_no_repr() -> None:
    """Neither a builder nor the Secret that it builds shows its token when printed."""
    builder = builders.RemoteSecret(
        release="1.24", cluster="c", server="https://h:6443", ca=CA, token=SecretStr("hunter2")
    )
    for shown in (repr(builder), str(builder), repr(builder.build()), str(builder.build()), f"{builder.build()!r}"):
        assert "hunter2" not in shown
    assert "hunter2" in builder.build().plain()["stringData"]["c"]


GOOD: Mapping[str, Any] = {
    "release": "1.24",
    "address": "192.0.2.10",
    "token": SecretStr("abc.def"),
    "mesh_config": {},
    "type": "remote",
    "serves": "xds",
    **dict.fromkeys(
        ("mesh_id", "cluster", "network", "server", "ca", "version", "gateway", "gateway_namespace", "store", "key"),
        "x",
    ),
}
SENTENCES: Mapping[str, str] = {
    "release": "must be a Release or text, not a list",
    "address": "must be a Hostname or an IPAddress or text, not a list",
    "token": "must be a SecretStr, not a list",
    "mesh_config": "must be a mapping, not a list",
    "type": "must be 'remote' or 'config', not a list",
    "store_kind": "must be 'ClusterSecretStore' or 'SecretStore', not a list",
    "serves": "must be 'xds' or 'webhook', not a list",
    "service_type": "must be 'LoadBalancer' or 'NodePort' or 'ClusterIP', not a list",
    "selector": "must be a mapping, not a list",
    "webhook_port": "must be a whole number, not a list",
    "annotations": "must be a mapping, not a list",
    "settings": "must be a mapping, not a list",
}


def test_no_routes_of_the_gateway_api_for_ip_addresses() -> None:
    """A route is refused with the reason where the Gateway API has none for the address."""
    builder = builders.IstiodRoute(
        release="1.30", address="192.0.2.1", gateway="edge", gateway_namespace="ingress", serves="xds"
    )
    with pytest.raises(InvalidInput) as caught:
        builder.build()
    assert str(caught.value) == (
        "address: can have no route: routes of the Gateway API are for host names alone; use IstiodGateway instead"
    )


def inputs() -> Iterator[tuple[str, str]]:
    """Each input of each builder."""
    for name in builders.__all__:
        for field in inspect.signature(getattr(builders, name)).parameters:
            yield name, field


@pytest.mark.parametrize(("name", "wrong"), list(inputs()))
def test_wrong_types_are_refused_by_name(name: str, wrong: str) -> None:
    """An input of a wrong type is refused by `build()` with its name and what it must be."""
    builder: Any = getattr(builders, name)
    given = {name: GOOD[name] for name in inspect.signature(builder).parameters if name in GOOD}
    with pytest.raises(InvalidInput) as caught:
        builder(**{**given, wrong: ["x"]}).build()
    (problem,) = caught.value.problems
    assert problem.path == wrong
    optional = " or None" if problem.message.startswith("must be text or None") else ""
    assert problem.message == SENTENCES.get(wrong, f"must be text{optional}, not a list")


def test_all_wrong_inputs_are_told() -> None:
    """Problems of several inputs are told at once; text that no file can hold is one."""
    wrong: dict[str, Any] = {"release": 5, "address": None, "cluster": "\ud800", "network": b"n", "token": "t"}
    with pytest.raises(InvalidInput) as caught:
        builders.RemoteCluster(**{key: wrong[key] for key in ("release", "address", "cluster", "network")}).build()
    assert str(caught.value).splitlines() == [
        "release: must be a Release or text, not a number",
        "address: must be a Hostname or an IPAddress or text, not empty",
        "cluster: is not valid text, since it has half of a surrogate pair: correct it",
        "network: must be text, not a bytes",
    ]


@pytest.mark.parametrize(
    ("mesh_config", "problem"),
    [
        ({1: 2}, "mesh_config: the key 1 is no text: write it as a string"),
        (
            {"a": {"b": [b""]}},
            "mesh_config.a.b[0]: a bytes that YAML cannot carry: use valid text, a 64-bit whole number, a finite "
            "float, a boolean or None",
        ),
        (
            {"defaultConfig": {"proxyMetadata": {"A": 1}}},
            "mesh_config.defaultConfig.proxyMetadata.A: must be text, not a number",
        ),
    ],
)
def test_mesh_configs(mesh_config: Any, problem: str) -> None:
    """A mesh config is refused with the place inside it."""
    inputs: dict[str, Any] = {key: GOOD[key] for key in ("release", "address", "mesh_id", "cluster", "network")}
    with pytest.raises(InvalidInput) as caught:
        builders.ExternalIstiod(**inputs, mesh_config=mesh_config).build()
    assert str(caught.value) == problem
