"""Overrides that would undo an installation, whatever the method."""

import re
from typing import Any

import pytest
from pydantic import SecretStr

from extcp_manifests import ClusterCredentials, InvalidInput, MeshCluster, load, plan, yaml
from extcp_manifests.topology.model import Topology
from extcp_manifests.topology.part_check import part_warnings

DECIDED = "is decided by the topology, and the installation would not work with another value: leave it out"


def topology(part: str, piece: dict[str, Any], **spec: Any) -> Topology:
    """A topology with overrides of one part."""
    config: dict[str, Any] = {"name": "cluster1", "network": "n"}
    remote: dict[str, Any] = {"name": "cluster2", "network": "n"}
    whole: dict[str, Any] = {
        "release": "1.30",
        "meshID": "m",
        "address": "192.0.2.1",
        "configCluster": config,
        "remoteClusters": [remote],
        **spec,
    }
    if part == "configCluster":
        config["overrides"] = piece
    elif part == "remoteClusters[0]":
        remote["overrides"] = piece
    elif part:
        whole[part] = {"overrides": piece}
    kind = {"apiVersion": "extcp-manifests/v1", "kind": "ExternalControlPlane", "metadata": {"name": "m"}}
    return load({**kind, "spec": whole})


def tree(path: str, value: Any) -> dict[str, Any]:
    """Data with one value at a path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    made: dict[str, Any] = value
    return made


OF_ISTIOD = """
revision namespace components.pilot.namespace components.base.enabled values.revision values.pilot.enabled
values.pilot.env.CLUSTER_ID values.pilot.env.EXTERNAL_ISTIOD values.env.CLUSTER_ID values.meshConfig
values.global.remotePilotAddress values.global.omitSidecarInjectorConfigMap values.pilot.configMap
meshConfig.root_namespace meshConfig.defaultConfig.discovery_address values.global.revision
unvalidatedValues.global.istioNamespace unvalidatedValues.pilot.env.SHARED_MESH_CONFIG unvalidatedValues.env.CLUSTER_ID
""".split()
OF_REMOTES = """
revision components.base.enabled components.pilot.enabled components.istiodRemote.enabled values.istiodRemote.enabled
values.global.operatorManageWebhooks values.global.configValidation values.istiodRemote.injectionURL
values.base.validationURL values.pilot.enabled values.defaultRevision unvalidatedValues.istiodRemote.injectionURL
unvalidatedValues.istiodRemote.injectionPath
""".split()
OF_THE_GATEWAY = """
profile revision namespace components.pilot.enabled components.base.enabled values.global.istioNamespace
""".split()
OF_THE_GATEWAY_BY_HELM = "name revision labels.app labels.istio networkGateway".split()
BY_SAIL = """
profile updateStrategy values.revision values.profile values.env.SHARED_MESH_CONFIG values.global.remotePilotAddress
""".split()
BY_HELM = """
revision profile pilot.enabled env.SHARED_MESH_CONFIG global.remotePilotAddress global.omitSidecarInjectorConfigMap
""".split()


@pytest.mark.parametrize(
    ("part", "path", "install"),
    [
        *(("istiod", path, "istioctl") for path in OF_ISTIOD),
        *(("remoteClusters[0]", path, "istioctl") for path in OF_REMOTES),
        *(("gateway", path, "istioctl") for path in OF_THE_GATEWAY),
        *(("istiod", path, "helm") for path in BY_HELM),
        *(("gateway", path, "helm") for path in OF_THE_GATEWAY_BY_HELM),
        *(("istiod", path, "sail") for path in BY_SAIL),
        *(("gateway", path, "sail") for path in OF_THE_GATEWAY_BY_HELM),
    ],
)
def test_what_the_topology_decides(part: str, path: str, install: str) -> None:
    """A key that the document lacks, and that would undo the installation, is refused at its place."""
    with pytest.raises(InvalidInput) as caught:
        topology(part, tree(path, "x"), install=install, **({"revision": "canary"} if install == "sail" else {}))
    assert f"spec.{part}.overrides.{path}: {DECIDED}" in str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("path", "is_refused"),
    [
        ("spec.template.spec.containers.[name:discovery].env.[name:CLUSTER_ID]", True),
        ("spec.template.spec.containers.[name:discovery].env.[name:CLUSTER_ID].value", True),
        ("spec.template.spec.containers[0].env", True),
        ("spec.template.spec.containers[0].env[3]", True),
        ("spec.template.spec.containers.[name:discovery].env.[name:PILOT_TRACE_SAMPLING].value", False),
        ("metadata.name", True),
        ("spec.template.spec.dnsPolicy", False),
    ],
)
def test_patches_of_variables(path: str, is_refused: bool) -> None:
    """A patch may not change or remove a variable of ours, nor the list of them."""
    patch = {"path": path, "value": "x"}
    piece = tree("components.pilot.k8s.overlays", [{"kind": "Deployment", "name": "istiod", "patches": [patch]}])
    if is_refused:
        with pytest.raises(InvalidInput) as caught:
            topology("istiod", piece)
        place = "spec.istiod.overrides.components.pilot.k8s.overlays[0].patches[0].path"
        assert f"{place}: {DECIDED}" in str(caught.value).splitlines()
    else:
        written = plan(topology("istiod", piece)).render()["external/external-istiod.yaml"]
        assert patch in yaml.load(written)["spec"]["components"]["pilot"]["k8s"]["overlays"][-1]["patches"]


def test_gateways_of_ours_and_others() -> None:
    """The gateway of ours keeps its labels and its namespace; another one may have any."""
    item = {"label": {"istio": "x"}, "namespace": "x"}
    with pytest.raises(InvalidInput) as caught:
        topology("gateway", tree("components.ingressGateways", [{"name": "istio-ingressgateway", **item}]))
    place = "spec.gateway.overrides.components.ingressGateways[0]"
    assert str(caught.value).splitlines() == [f"{place}.label: {DECIDED}", f"{place}.namespace: {DECIDED}"]
    topology("gateway", tree("components.ingressGateways", [{"name": "another", "enabled": True, **item}]))


@pytest.mark.parametrize("tag", ["1.30.1", "1.30", "1.30-alpha.x", "20261128", "latest", "main.1"])
def test_tags_of_other_forms(tag: str) -> None:
    """A tag that names no minor may be one of any release, as a mirror has them."""
    assert topology("gateway", {}, tag=tag).tag == tag


def test_a_tag_of_another_release() -> None:
    """A tag of another release is refused in overrides too."""
    with pytest.raises(InvalidInput) as caught:
        topology("istiod", {"tag": "1.20.0"})
    assert str(caught.value) == (
        "spec.istiod.overrides.tag: '1.20.0' is not a tag of Istio 1.30: write one that begins with 1.30., "
        "or leave it out"
    )


BUDGET = {"istiod": {"podDisruptionBudget": {"minAvailable": 1}}}
NO_BUDGET = (
    "spec.istiod.podDisruptionBudget: has no value in the chart of istiod, which makes a budget by itself: leave it out"
)
NO_SAIL = (
    "spec.install: is sail, but no Sail Operator is known to install an external control plane of Istio {}: use 1.24 "
    "to 1.31, or another way to install"
)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"install": "helm", "release": "1.18"},
            "spec.install: is helm, but the charts of Istio 1.18 have no values for what istiod must mount: use "
            "istioctl, or 1.19 or later",
        ),
        ({"install": "helm", **BUDGET}, NO_BUDGET),
        ({"install": "sail", "revision": "canary", **BUDGET}, NO_BUDGET),
        ({"install": "sail", "revision": "canary", "release": "1.23"}, NO_SAIL.format("1.23")),
        ({"install": "sail", "revision": "canary", "release": "1.32"}, NO_SAIL.format("1.32")),
        (
            {"install": "sail"},
            "spec.revision: is required with install: sail, which names all that it makes by it: add one, such as the "
            "namespace",
        ),
        (
            {"platform": "openshift", "release": "1.23"},
            "spec.platform: is openshift, for which Istio 1.23 has no settings: leave it out",
        ),
        (
            {"platform": "gke", "release": "1.24"},
            "spec.platform: is gke, for which Istio 1.24 has no settings: use one of k3d, k3s, microk8s, minikube, "
            "openshift, or leave it out",
        ),
    ],
)
def test_what_methods_and_releases_cannot_install(spec: dict[str, Any], sentence: str) -> None:
    """What a method or a release cannot install is refused with the reason."""
    with pytest.raises(InvalidInput) as caught:
        topology("configCluster", {}, **spec)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"address": "h.example.com", "credentialName": "c", "istiod": {"service": {}}},
            "spec.istiod.service: needs an istiod that ends TLS itself: set tlsTermination to istiod, or give an "
            "IP address",
        ),
        (
            {"tlsTermination": "gateway"},
            "spec.tlsTermination: is gateway, but by IP address istiod ends TLS: leave it out",
        ),
        (
            {"address": "h.example.com", "tlsTermination": "istiod", "credentialName": "c"},
            "spec.credentialName: has no use where istiod ends TLS itself: leave it out, or leave tlsTermination out",
        ),
        (
            {"istiod": {"service": {}}, "gateway": {"name": "x"}},
            "spec.gateway: has no use where istiod has a service of its own: leave one of them out",
        ),
        (
            {"gateway": {"install": "none", "replicas": 2}},
            "spec.gateway: has settings or overrides, but install is none, so that nothing is installed: leave "
            "them out",
        ),
        (
            {"gateway": {"selector": {"a": "b"}}},
            "spec.gateway.selector: follows from the gateway's name, unless install is none: leave it out",
        ),
        (
            {"externalCluster": {"kubeconfig": "~/x"}},
            "spec.externalCluster.kubeconfig: '~/x' begins with '~', which no shell replaces there: write the "
            "whole path",
        ),
    ],
)
def test_ways_in_that_do_not_fit(spec: dict[str, Any], sentence: str) -> None:
    """What does not fit to the way by which istiod is reached is refused."""
    with pytest.raises(InvalidInput) as caught:
        topology("configCluster", {}, **spec)
    assert str(caught.value) == sentence


PRIVATE = {"certificates": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}
TEMPLATES = {"inject.istio.io/templates": "gateway"}
BY_HOST_NAME = {"address": "h.example.com", "credentialName": "c"}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"privateCA": PRIVATE},
            "spec.privateCA: has no use where istiod ends TLS with a certificate of its own: leave it out",
        ),
        (
            {"privateCA": PRIVATE, "address": "h.example.com", "tlsTermination": "istiod"},
            "spec.privateCA: has no use where istiod ends TLS with a certificate of its own: leave it out",
        ),
        (
            {"privateCA": PRIVATE, "release": "1.21", **BY_HOST_NAME},
            "spec.privateCA: needs root certificates of its own, which the webhooks of Istio 1.21 cannot be given: use "
            "1.22 or later, or a certificate that API servers and proxies already trust",
        ),
        (
            {"privateCA": {"certificates": "-----BEGIN EC PRIVATE KEY-----\n"}, **BY_HOST_NAME},
            "spec.privateCA.certificates: has a private key: give certificates alone",
        ),
        (
            {"privateCA": {"certificates": "ca.pem"}, **BY_HOST_NAME},
            "spec.privateCA.certificates: is not a certificate: give the text of ca.crt, in PEM form",
        ),
        (
            {"privateCA": {"certificates": "-----BEGIN CERTIFICATE-----\n${CA}\n"}, **BY_HOST_NAME},
            "spec.privateCA.certificates: has something else than whole certificates: give BEGIN CERTIFICATE, base64 "
            "and END CERTIFICATE of each",
        ),
        (
            {"privateCA": {**PRIVATE, "configMap": "values"}, **BY_HOST_NAME},
            "spec.privateCA.configMap: 'values' is a ConfigMap that istiod or Kubernetes writes: choose another",
        ),
        (
            {
                "privateCA": PRIVATE,
                "meshConfig": {"defaultConfig": {"proxyMetadata": {"XDS_ROOT_CA": "/x"}}},
                **BY_HOST_NAME,
            },
            "spec.meshConfig.defaultConfig.proxyMetadata.XDS_ROOT_CA: is what privateCA sets, for every proxy: leave "
            "it out",
        ),
        (
            {
                "privateCA": PRIVATE,
                "configCluster": {
                    "name": "c",
                    "network": "n",
                    "gateways": {
                        "egress": True,
                        "overrides": {
                            "egress": tree(
                                "components.egressGateways",
                                [{"name": "istio-egressgateway", "k8s": {"podAnnotations": TEMPLATES}}],
                            )
                        },
                    },
                },
                **BY_HOST_NAME,
            },
            "spec.configCluster.gateways.overrides.egress.components.egressGateways[0].k8s.podAnnotations["
            f'"inject.istio.io/templates"]: {DECIDED}',
        ),
        (
            {"cni": {"namespace": "external-istiod"}},
            "spec.cni.namespace: 'external-istiod' is the namespace of the control plane: choose another",
        ),
        (
            {"privateCA": {**PRIVATE, "configMap": "istio-ca-crl"}, **BY_HOST_NAME},
            "spec.privateCA.configMap: 'istio-ca-crl' is a ConfigMap that istiod or Kubernetes writes: choose another",
        ),
        (
            {"gateway": {"webhookPort": 443}},
            "spec.gateway.webhookPort: has no use by IP address, where Istio's charts let API servers call 15017: "
            "leave it out",
        ),
        (
            {"gateway": {"webhookPort": 15012}, **BY_HOST_NAME},
            "spec.gateway.webhookPort: is 15012, another port of the gateway: choose another",
        ),
        (
            {"gateway": {"install": "none", "api": "kubernetes"}},
            "spec.gateway.api: is kubernetes, but routes of the Gateway API are for host names alone: leave it out",
        ),
        (
            {"gateway": {"api": "kubernetes"}, **BY_HOST_NAME},
            "spec.gateway.api: is kubernetes, for a gateway that is there already: set install to none",
        ),
        (
            {"gateway": {"install": "none", "api": "kubernetes"}, "release": "1.15", **BY_HOST_NAME},
            "spec.gateway.api: is kubernetes, but istiod of Istio 1.15 reads no HTTPRoute by itself, as from 1.16 on: "
            "leave it out",
        ),
        (
            {
                "gateway": {"install": "none", "api": "kubernetes"},
                "release": "1.29",
                "address": "h.example.com",
                "tlsTermination": "istiod",
            },
            "spec.gateway.api: is kubernetes, but istiod of Istio 1.29 reads no TLSRoute by itself, as from 1.30 on: "
            "leave it out",
        ),
        (
            {"gateway": {"install": "none", "api": "kubernetes", "selector": {"a": "b"}}, **BY_HOST_NAME},
            "spec.gateway.selector: has no use for a Gateway of the Gateway API, to which routes attach by name: leave "
            "it out",
        ),
        (
            {"configCluster": {"name": "c", "network": "n", "gateways": {"namespace": "x"}}},
            "spec.configCluster.gateways.namespace: has no use in a cluster without ingress and egress gateway: leave "
            "it out",
        ),
        (
            {"configCluster": {"name": "c", "network": "n", "gateways": {"egress": True, "namespace": "sample"}}},
            "spec.configCluster.gateways.namespace: 'sample' is the namespace of the sample workloads: choose another",
        ),
        (
            {
                "configCluster": {"name": "c", "network": "n", "gateways": {"egress": True, "namespace": "cni"}},
                "cni": {"namespace": "cni"},
            },
            "spec.configCluster.gateways.namespace: 'cni' is the namespace of the CNI plugin: choose another",
        ),
        (
            {"istiod": {"tag": "1.29.1"}},
            "spec.istiod.tag: '1.29.1' is not a tag of Istio 1.30: write one that begins with 1.30., or leave it out",
        ),
        (
            {"gateway": {"hub": "gcr.io/istio-release"}, "release": "1.31"},
            "spec.gateway.hub: 'gcr.io/istio-release' has nothing of Istio 1.31: write 'docker.io/istio', or a mirror "
            "of it",
        ),
        (
            {"gateway": {"webhookPort": 0}, **BY_HOST_NAME},
            "spec.gateway.webhookPort: is 0: use 1 or more",
        ),
    ],
)
def test_trust_routes_and_images_that_do_not_fit(spec: dict[str, Any], sentence: str) -> None:
    """Root certificates, ports, routes and images are refused where nothing would use them, or nothing could."""
    with pytest.raises(InvalidInput) as caught:
        topology("configCluster", {}, **spec)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("install", ["istioctl", "helm", "sail"])
def test_private_roots_by_every_method(install: str) -> None:
    """By every method webhooks carry the certificates and the port, and proxies mount and trust the ConfigMap."""
    gateways = {"ingress": True, "egress": True, "eastWest": True}
    spec = {**BY_HOST_NAME, "privateCA": PRIVATE, "gateway": {"webhookPort": 443}, "revision": "canary"}
    config = {"name": "cluster1", "network": "n", "gateways": gateways, "sample": {"version": "v1"}}
    whole = plan(topology("istiod", {}, install=install, **{**spec, "configCluster": config, "remoteClusters": []}))
    files = {path: content.decode() for path, content in whole.render().items()}
    kind = "values.yaml" if install == "helm" else "yaml"
    text = files[f"external/external-istiod.{kind}"]
    assert "XDS_ROOT_CA: /etc/istiod-root/ca.crt" in text
    assert "istiod-root-of-gateway" in text
    assert "CABundle: LS0t" in files[f"cluster1/remote-config-cluster.{kind}"]
    assert "https://h.example.com:443/inject" in files[f"cluster1/remote-config-cluster.{kind}"]
    assert "number: 443" in files["external/external-istiod-gw.yaml"]
    assert "port: 443" in "".join(text for path, text in files.items() if path.startswith("external/"))
    of_gateways = [text for path, text in files.items() if re.fullmatch("cluster1/[^/]*gateway[.].*", path)]
    assert len(of_gateways) == len(gateways)
    assert all("gateway,istiod-root-of-gateway" in text for text in of_gateways)
    for path in ("cluster1/namespace.yaml", "cluster1/sample/namespace.yaml"):
        assert "kind: ConfigMap" in files[path]


@pytest.mark.parametrize("install", ["istioctl", "helm", "sail"])
def test_images_of_single_parts(install: str) -> None:
    """An image of istiod alone leaves proxies what all have; that of the gateway is its own istiod's too."""
    parts = {"istiod": {"hub": "r.example.com/a", "tag": "1.30.2"}, "gateway": {"hub": "r.example.com/b"}}
    spec = {**BY_HOST_NAME, **parts, "hub": "r.example.com/all", "revision": "canary"}
    files = {path: text.decode() for path, text in plan(topology("", {}, install=install, **spec)).render().items()}
    kind = "values.yaml" if install == "helm" else "yaml"
    of_istiod = yaml.load(files[f"external/external-istiod.{kind}"])
    values = of_istiod if install == "helm" else of_istiod["spec"]["values"]
    assert values["pilot"].items() >= {"hub": "r.example.com/a", "tag": "1.30.2"}.items()
    assert "hub: r.example.com/all" in files[f"external/external-istiod.{kind}"]
    others = "".join(text for path, text in files.items() if "external-istiod." not in path)
    assert "hub: r.example.com/b" in others
    assert "r.example.com/a" not in others.replace("r.example.com/all", "")


def test_secrets_of_a_store() -> None:
    """The runbook says which text belongs into the store; credentials have no use beside it."""
    whole = topology("", {}, secretStore={"name": "vault"})
    text = plan(whole).runbook()
    assert "Put the text below its `stringData` into m/cluster2 of the store." in text
    assert (
        "- The External Secrets Operator runs in the external cluster, in release 0.16 or later, with the store vault"
        in text
    )
    given = ClusterCredentials(server="https://192.0.2.9", ca=PRIVATE["certificates"], token=SecretStr("t"))
    with pytest.raises(InvalidInput) as caught:
        plan(whole, credentials={"cluster2": given})
    assert str(caught.value) == (
        "credentials: have no use where Secrets are made of what a store has: leave them out, or leave secret_store out"
    )


def test_a_service_of_istiod_that_is_there_already() -> None:
    """With install: none no Service is written; the runbook says what it must do, and looks at injection."""
    spec = {"address": "h.example.com", "tlsTermination": "istiod", "istiod": {"service": {"install": "none"}}}
    whole = plan(topology("", {}, **spec))
    assert sorted(path for path in whole.render() if path.startswith("external/")) == [
        "external/external-istiod.yaml",
        "external/namespace.yaml",
    ]
    assert "- At h.example.com, the ports 15012 and 15017 lead to those of the pods of istiod" in whole.runbook()
    assert "injection-check" in whole.runbook()


def test_hubs_of_single_parts_that_end() -> None:
    """A registry that is taken down is warned of, whatever part names it."""
    (problem,) = part_warnings(topology("", {}, istiod={"hub": "gcr.io/istio-release"}))
    assert str(problem) == (
        "spec.istiod.hub: 'gcr.io/istio-release' is taken down in December 2026: write 'docker.io/istio', or a mirror "
        "of it"
    )


def test_a_mesh_config_that_the_operators_beats() -> None:
    """Settings of the mesh admin that have no effect are reported, with the operator's value; others are not."""
    admins = {"accessLogFile": "/dev/stdout", "enableTracing": True, "rootNamespace": "x"}
    changed = topology("configCluster", {}, meshConfig={"accessLogFile": "/x"}).with_(
        config_cluster=MeshCluster(name="c", network="n", mesh_config=admins)
    )
    assert list(map(str, part_warnings(changed))) == [
        "spec.configCluster.meshConfig.accessLogFile: has no effect, since the operator's mesh config has /x there: "
        "leave it out, or change spec.meshConfig",
        "spec.configCluster.meshConfig.rootNamespace: has no effect, since the operator's mesh config has "
        "external-istiod there: leave it out, or change spec.meshConfig",
    ]
    assert part_warnings(topology("configCluster", {})) == []


@pytest.mark.parametrize(
    ("piece", "problem"),
    [
        (
            tree("components.pilot.k8s.env", [{"name": "CLUSTER_ID", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}]),
            "components.pilot.k8s.env[0].valueFrom: is set to cluster1 here, and the installation needs that value: "
            "leave it out",
        ),
        (
            tree("components.pilot.k8s.env", []),
            "components.pilot.k8s.env: is empty, and would take away what is set here: leave it out",
        ),
        (
            tree("components.pilot.k8s.volumes", [{"name": "x"}]),
            "components.pilot.k8s.volumes: is ignored by istioctl: use values.pilot.volumes, or a patch in "
            "k8s.overlays",
        ),
        (
            tree("values.pilot.envVarFrom", [{"name": "CLUSTER_ID", "value": "x"}]),
            f"values.pilot.envVarFrom[0]: {DECIDED}",
        ),
        (
            tree(
                "components.pilot.k8s.overlays", [{"kind": "ConfigMap", "name": "istio", "patches": [{"path": "data"}]}]
            ),
            f"components.pilot.k8s.overlays[0]: {DECIDED}",
        ),
        (
            tree("values.global.tag", "1.18.0"),
            "values.global.tag: '1.18.0' is not a tag of Istio 1.30: write one that begins with 1.30., or leave it out",
        ),
    ],
)
def test_other_places_of_the_same(piece: dict[str, Any], problem: str) -> None:
    """A setting of ours cannot be undone, nor one be lost, by another place that says the same."""
    with pytest.raises(InvalidInput) as caught:
        topology("istiod", piece)
    assert f"spec.istiod.overrides.{problem}" in str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("replicas", "sentence"),
    [
        (0, "is 0: use 1 or more"),
        (2**40, "is 1099511627776: use at most 2147483647"),
        ("2", "must be a whole number, not text"),
        (True, "must be a whole number, not the boolean true"),
    ],
)
def test_numbers_of_pods(replicas: Any, sentence: str) -> None:
    """A number of pods is a whole one that Kubernetes can count."""
    with pytest.raises(InvalidInput) as caught:
        topology("gateway", {}, istiod={"replicas": replicas})
    assert str(caught.value) == f"spec.istiod.replicas: {sentence}"


@pytest.mark.parametrize("install", ["istioctl", "helm", "sail"])
def test_platform_and_plugin_reach_every_part(install: str) -> None:
    """Every document of pods, and of how they are injected, has the platform; istiod injects for the plugin."""
    gateways = {"ingress": True, "egress": True, "eastWest": True}
    config = {"name": "cluster1", "network": "n", "gateways": gateways}
    spec = {"platform": "openshift", "cni": {}, "configCluster": config, "remoteClusters": [], "revision": "canary"}
    steps = plan(topology("gateway", {}, install=install, **spec)).steps
    texts = {step.path: "".join(yaml.dump(each.plain()) for each in step.documents) for step in steps if step.part}
    without = {path for path, text in texts.items() if "platform: openshift" not in text}
    assert (
        without
        == {
            "istioctl": set(),
            "helm": {"external/istio-base.values.yaml", "cluster1/istio-base.values.yaml"},
            "sail": {"external/gateway-namespace.yaml"},
        }[install]
    )
    istiod = next(text for path, text in texts.items() if path and path.startswith("external/external-istiod."))
    assert "cni:\n" in istiod
    assert any(path and path.startswith("cluster1/istio-cni.") for path in texts)


def test_a_plugin_that_is_there_already() -> None:
    """With install: none nothing installs the CNI plugin, and istiod injects for it."""
    files = plan(topology("gateway", {}, cni={"install": "none"})).render()
    assert not any("cni" in path for path in files)
    operator = yaml.load(files["external/external-istiod.yaml"])
    assert operator["spec"]["unvalidatedValues"] == {"pilot": {"cni": {"enabled": True}}}


@pytest.mark.parametrize(
    ("tag", "version", "in_values"),
    [(None, "v1.30-latest", None), ("1.30.2", "v1.30.2", None), ("1.30.2-mirror", "v1.30-latest", "1.30.2-mirror")],
)
def test_versions_of_the_sail_operator(tag: str | None, version: str, in_values: str | None) -> None:
    """A tag that is a patch is the version that the operator installs; another one is a tag of the images."""
    made = topology(
        "gateway", {}, install="sail", revision="canary", hub="docker.io/istio", **({"tag": tag} if tag else {})
    )
    resource = yaml.load(plan(made).render()["external/external-istiod.yaml"])
    assert resource["spec"]["version"] == version
    assert resource["spec"]["values"]["global"].get("tag") == in_values


@pytest.mark.parametrize("hub", [None, "docker.io/istio"])
def test_images_of_the_sail_operator(hub: str | None) -> None:
    """Without a registry no resource names one, in any release, and a warning says what that means."""
    made = topology("gateway", {}, install="sail", revision="canary", **({"hub": hub} if hub else {}))
    resource = yaml.load(plan(made).render()["external/external-istiod.yaml"])
    assert resource["spec"]["values"]["global"].get("hub") == hub
    sentence = (
        "spec.hub: is left out, so that the Sail Operator takes the images that it was built with, and the community's "
        "may come from registries that end in December 2026: set it to docker.io/istio or a mirror"
    )
    assert list(map(str, part_warnings(made))) == ([] if hub else [sentence])
    assert part_warnings(made.with_(platform="openshift")) == []  # whose operator has images of its own
