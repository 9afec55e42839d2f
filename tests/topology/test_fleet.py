"""Several control planes: what must fit between them, and how files of them are read."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from extcp_manifests import Fleet, InvalidInput, MeshCluster, SharedGateway, Topology, load_fleet, yaml
from extcp_manifests.topology.explain import explain
from extcp_manifests.topology.fleet_file import fleet_schema

EXAMPLE = Path(__file__).parents[2] / "examples/fleet.yaml"


def one(name: str, /, **changes: Any) -> dict[str, Any]:
    """A control plane that fits to all others of another name, as a file has it."""
    return {
        "name": name,
        "namespace": f"istiod-{name}",
        "meshID": name,
        "address": f"{name}.example.com",
        "credentialName": "c",
        "configCluster": {"name": f"{name}1", "network": "n"},
        **changes,
    }


def fleet(*control_planes: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """A file of control planes."""
    return {
        "apiVersion": "extcp-manifests/v1",
        "kind": "ExternalControlPlanes",
        "metadata": {"name": "fleet"},
        "spec": {"defaults": {"release": "1.30", **defaults}, "controlPlanes": list(control_planes)},
    }


SHARED = {"configCluster": {"name": "b1", "network": "n"}, "remoteClusters": [{"name": "a1", "network": "n"}]}
"""A control plane `b` that also leads in the config cluster of `a`."""
BY_IP = {"address": "192.0.2.2", "credentialName": None}


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({}, {"name": "a"}, "name: 'a' is already the name of another control plane: choose another"),
        (
            {},
            {"name": "gateway-external-istio-system"},
            "name: 'gateway-external-istio-system' is what the folder of a gateway is called: choose another",
        ),
        (
            {},
            {"namespace": "istiod-a"},
            "namespace: 'istiod-a' is already the namespace of control plane 'a' in cluster 'external': choose another",
        ),
        (
            {},
            {"address": "a.example.com"},
            "address: 'a.example.com' is already the address of control plane 'a': choose another",
        ),
        (
            {},
            {"externalCluster": {"name": "external", "context": "other"}},
            "externalCluster.name: 'external' is the name of another external cluster too: give each cluster its own",
        ),
        (
            {},
            BY_IP,
            "gateway: serves control plane 'a' too, and by IP address a gateway serves one alone: give each a gateway "
            "with a name and a namespace of its own",
        ),
        (
            {},
            {"gateway": {"name": "other"}},
            "gateway.name: 'other' would take the place of the gateway of control plane 'a' in namespace "
            "'istio-system' of cluster 'external': choose another namespace, or the same name",
        ),
        (
            {},
            {"gateway": {"replicas": 2}},
            "gateway: is not that of control plane 'a', which shares the gateway: make them equal, or give one a "
            "gateway with a name and a namespace of its own",
        ),
        (
            {"tag": "1.30.1"},
            {"tag": "1.30.2"},
            "tag: is not that of control plane 'a', which shares the gateway: make them equal, or give one a gateway "
            "with a name and a namespace of its own",
        ),
        (
            {},
            {"gateway": {"namespace": "istiod-a"}},
            "gateway.namespace: 'istiod-a' is already the namespace of control plane 'a' in cluster 'external': choose "
            "another",
        ),
        (
            {"gateway": {"namespace": "edge"}},
            {"namespace": "edge"},
            "namespace: 'edge' is already the namespace of the gateway of control plane 'a' in cluster 'external': "
            "choose another",
        ),
        (
            {"meshConfig": {"trustDomain": "td"}},
            {"meshID": "a"},
            "meshID: 'a' is also the mesh of control plane 'a', which has another trust domain: choose another, or "
            "give both the same meshConfig.trustDomain",
        ),
        (
            {},
            SHARED,
            "revision: is left out, as by control plane 'a', so that both would inject pods of cluster 'a1': give one "
            "of them a revision",
        ),
        (
            {"revision": "r"},
            {**SHARED, "revision": "r"},
            "revision: 'r' is already the revision of control plane 'a' in cluster 'a1': choose another",
        ),
        (
            {},
            {**SHARED, "revision": "r", "namespace": "istiod-a", "externalCluster": {"name": "other"}},
            "namespace: 'istiod-a' is already the namespace of control plane 'a' in cluster 'a1': choose another",
        ),
        (
            {"install": "helm"},
            {**SHARED, "revision": "r", "install": "helm"},
            "install: is helm, and control plane 'a' has Istio's definitions in cluster 'a1' by helm, while Helm "
            "shares them with nothing: use istioctl for both",
        ),
        (
            {"cni": {}},
            {**SHARED, "revision": "r", "cni": {}},
            "cni: installs the plugin in cluster 'a1', as control plane 'a' does: set install to none in one of them",
        ),
        (
            {"configCluster": {"name": "a1", "network": "n", "gateways": {"ingress": True, "namespace": "x"}}},
            {
                "configCluster": {"name": "a1", "network": "n", "gateways": {"egress": True, "namespace": "x"}},
                "revision": "r",
            },
            "configCluster.gateways.namespace: 'x' is already the namespace of gateways of control plane 'a' in "
            "cluster 'a1': choose another",
        ),
        (
            {"configCluster": {"name": "a1", "network": "n", "sample": {"version": "v1"}}},
            {"configCluster": {"name": "a1", "network": "n", "sample": {"version": "v2"}}, "revision": "r"},
            "configCluster.sample: is already deployed by control plane 'a': leave it out",
        ),
        (
            {"install": "sail", "revision": "r", "hub": "h.example.com"},
            {"install": "sail", "revision": "r", "hub": "h.example.com"},
            "revision: 'r' is already the revision of control plane 'a' in cluster 'external': choose another",
        ),
        (
            {"externalCluster": {"name": "x-y"}, "gateway": {"namespace": "z"}},
            {"externalCluster": {"name": "x"}, "gateway": {"namespace": "y-z"}},
            "gateway.namespace: 'y-z' would share the folder 'gateway-x-y-z' with the gateway of control plane 'a': "
            "choose another",
        ),
        (
            {"install": "sail", "revision": "q", "hub": "h.example.com"},
            {"install": "sail", "revision": "r", "hub": "h.example.com", "gateway": {"namespace": "edge"}},
            "gateway: would be a second one in cluster 'external', beside that of control plane 'a', and the Sail "
            "Operator has one Istio called 'default': share it, or use one that is there already",
        ),
        (
            {"install": "helm"},
            {"install": "helm", "gateway": {"namespace": "edge"}},
            "install: is helm, and control plane 'a' has Istio's definitions in cluster 'external' by helm, while Helm "
            "shares them with nothing: use istioctl for both",
        ),
        (
            {},
            {**SHARED, "revision": "r", "install": "helm", "gateway": {"install": "none"}},
            "install: is helm, and control plane 'a' has Istio's definitions in cluster 'a1' by istioctl, while Helm "
            "shares them with nothing: use istioctl for both",
        ),
        (
            {"gateway": {"install": "none", "name": "one-gw", "selector": {"app": "e"}}},
            {**BY_IP, "gateway": {"install": "none", "name": "two-gw", "selector": {"app": "e"}}},
            "gateway: serves control plane 'a' too, and by IP address a gateway serves one alone: give each a gateway "
            "with a name and a namespace of its own",
        ),
        (
            {},
            {"configCluster": {"name": "external", "network": "n"}, "externalCluster": {"name": "other"}},
            "revision: is left out, and the istiod of the gateway of control plane 'a' would inject pods of cluster "
            "'external' too: add one",
        ),
        (
            {"configCluster": {"name": "external", "network": "n"}, "externalCluster": {"name": "other"}},
            {},
            "gateway: has an istiod of its own, which would inject pods of cluster 'external' as control plane 'a' "
            "does: give that one a revision",
        ),
        (
            {"revision": "q", "namespace": "b-c"},
            {"revision": "q-b", "namespace": "c"},
            "namespace: 'c' and the revision make names of cluster-wide objects with 'q-b-c', as those of control "
            "plane 'a' do: choose another",
        ),
        (
            {},
            {"externalCluster": {"name": "lab", "context": "external"}},
            "externalCluster.name: 'lab' has the kubeconfig and context of cluster 'external': give each cluster its "
            "own",
        ),
        (
            {},
            {**SHARED, "revision": "r", "cni": {"namespace": "istiod-a"}},
            "cni.namespace: 'istiod-a' is already the namespace of control plane 'a' in cluster 'a1': choose another",
        ),
        (
            {"gateway": {"webhookPort": 443}},
            {"gateway": {"install": "none"}},
            "gateway.webhookPort: is not that of control plane 'a', which shares the gateway: make them equal",
        ),
        (
            {"secretStore": {"name": "vault", "prefix": "x/"}},
            {**SHARED, "revision": "r", "secretStore": {"name": "vault", "prefix": "x/"}},
            "secretStore.prefix: has 'x/a1' in the store for control plane 'a' too, with another token: choose another",
        ),
        (
            {"name": "con"},
            {"name": "con-1143da2bc5"},
            "name: 'con-1143da2bc5' would share its folder with control plane 'con': choose another",
        ),
    ],
)
def test_what_does_not_fit(first: dict[str, Any], second: dict[str, Any], problem: str) -> None:
    """What two control planes cannot both have is refused once, at the second one, whatever clusters they share."""
    with pytest.raises(InvalidInput) as caught:
        load_fleet(fleet(one("a", **first), one("b", **second)))
    assert str(caught.value) == f"spec.controlPlanes[1].{problem}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({}, {"release": "1.29"}),
        ({}, {**BY_IP, "istiod": {"service": {}}}),
        ({}, {"gateway": {"install": "none"}}),
        ({}, {**SHARED, "revision": "r"}),
        ({"cni": {}}, {**SHARED, "revision": "r", "cni": {"install": "none"}}),
        ({"install": "helm", "release": "1.23"}, {**SHARED, "revision": "r", "install": "helm", "release": "1.23"}),
        (
            {"gateway": {"namespace": "istiod-b"}, "externalCluster": {"name": "other"}},
            {},
        ),
    ],
)
def test_what_fits(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Control planes may share an external cluster, a gateway by host name, and remote clusters by revision."""
    selectors = {"meshConfig": {"discoverySelectors": [{"matchLabels": {"a": "b"}}]}}
    made = load_fleet(fleet(one("a", **first), one("b", **second), **selectors))
    assert [each.name for each in made.control_planes] == ["a", "b"]
    assert made.warnings == ()


def test_what_is_most_likely_not_meant() -> None:
    """One mesh with two control planes, and one config cluster of two, are allowed and reported."""
    shared = {"meshID": "a", "configCluster": {"name": "a1", "network": "n"}, "revision": "r"}
    made = load_fleet(fleet(one("a"), one("b", **shared)))
    assert list(map(str, made.warnings)) == [
        "spec.controlPlanes[1].meshID: 'a' is also the mesh of control plane 'a': leave it where both serve one mesh",
        "spec.controlPlanes[1].configCluster: is that of control plane 'a' too, and istiod-default-validator of the "
        "cluster goes to the one that is set up last, and away with it: leave it where that is meant",
        "spec.controlPlanes[1].meshConfig: leaves both control planes of cluster 'a1', 'a' and this one, to write "
        "istio-ca-root-cert into all its namespaces: give each its own by discoverySelectors",
    ]
    second_gateway = {**BY_IP, "gateway": {"name": "other", "namespace": "edge"}}
    assert list(map(str, load_fleet(fleet(one("a"), one("b", **second_gateway))).warnings)) == [
        "spec.controlPlanes[1].gateway: has an istiod of its own, like that of control plane 'a' in namespace "
        "'istio-system', and both would inject pods of cluster 'external': share one, or use one that is there already"
    ]


def test_in_python() -> None:
    """A fleet of topologies is checked when it is made, with places in words of Python."""
    topology = Topology(
        name="a",
        release="1.30",
        mesh_id="a",
        address="192.0.2.1",
        config_cluster=MeshCluster(name="a1", network="n"),
    )
    other = topology.with_(name=None, address="192.0.2.2", gateway=SharedGateway(name="other", namespace="edge"))
    with pytest.raises(InvalidInput) as caught:
        Fleet(control_planes=[topology, other])
    assert str(caught.value).splitlines() == [
        "control_planes[1].name: is required in a fleet: name the control plane",
        "control_planes[1].namespace: 'external-istiod' is already the namespace of control plane 'a' in cluster "
        "'external': choose another",
        "control_planes[1].revision: is left out, as by control plane 'a', so that both would inject pods of cluster "
        "'a1': give one of them a revision",
    ]
    with pytest.raises(InvalidInput) as caught:
        Fleet(control_planes=["a"])  # type: ignore[list-item]
    assert str(caught.value) == "control_planes[0]: must be a Topology, not text"
    for wrong, sentence in (
        (None, "control_planes: must be a list of Topology, not empty"),
        ((each for each in [topology]), "control_planes: must be a list of Topology, not a generator"),
        ([], "control_planes: is empty: add a control plane"),
    ):
        with pytest.raises(InvalidInput) as caught:
            Fleet(control_planes=wrong)  # type: ignore[arg-type]
        assert str(caught.value) == sentence
    given = [topology]
    made = Fleet(control_planes=given)
    given.append(other)
    assert made.control_planes == (topology,)


def test_defaults() -> None:
    """A control plane's keys are laid over the defaults, mappings key by key, lists and null as they are."""
    made = load_fleet(
        fleet(
            one("a", istiod={"replicas": 3}, pullSecrets=["first"]),
            one("b", **BY_IP, gateway={"name": "other", "namespace": "edge"}),
            istiod={"replicas": 2, "env": {"A": "b"}},
            pullSecrets=["second", "third"],
            credentialName="d",
        )
    )
    a, b = made.control_planes
    assert (a.istiod.replicas, a.istiod.env, a.pull_secrets, a.credential_name) == (3, {"A": "b"}, ("first",), "c")
    assert (b.istiod.replicas, b.pull_secrets, b.credential_name) == (2, ("second", "third"), None)


def test_problems_are_where_they_are_said() -> None:
    """A problem of the defaults is reported once and there; all others at their control plane, with the lines."""
    text = yaml.dump(
        fleet(
            one("a", releases="1.31", istiod={"env": {}}),
            one("b", gateway=1),
            {"meshID": "c"},
            istiod={"replicas": "two"},
            name="x",
        )
    )
    with pytest.raises(InvalidInput) as caught:
        load_fleet(text, name="fleet.yaml")
    assert str(caught.value).splitlines() == [
        "fleet.yaml:10: spec.defaults.name: is of each control plane by itself: move it there",
        "fleet.yaml:9: spec.defaults.istiod.replicas: must be a whole number, not text",
        "fleet.yaml:20: spec.controlPlanes[0].releases: unknown key: did you mean 'release'?",
        "fleet.yaml:31: spec.controlPlanes[1].gateway: must be a mapping, not the number 1",
        "fleet.yaml:32: spec.controlPlanes[2].name: is required: add it",
        "fleet.yaml:32: spec.controlPlanes[2].address: is required: add it",
        "fleet.yaml:32: spec.controlPlanes[2].configCluster: is required: add it",
    ]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"controlPlanes": []}, "spec.controlPlanes: is empty: add a control plane"),
        ({}, "spec.controlPlanes: is required: add it"),
        ({"controlPlanes": [1]}, "spec.controlPlanes[0]: must be a mapping"),
        ({"controlPlanes": [one("a", release="1.30")], "default": {}}, "spec.default: unknown key"),
    ],
)
def test_files_that_are_wrong(spec: dict[str, Any], problem: str) -> None:
    """What holds the control planes is checked too."""
    with pytest.raises(InvalidInput) as caught:
        load_fleet({**fleet(), "spec": spec})
    assert problem in str(caught.value)


def document(control_plane: dict[str, Any]) -> str:
    """The document of one control plane."""
    name = control_plane.pop("name")
    kind = {"apiVersion": "extcp-manifests/v1", "kind": "ExternalControlPlane", "metadata": {"name": name}}
    return yaml.dump({**kind, "spec": {"release": "1.30", **control_plane}})


def test_documents_and_folders(tmp_path: Path) -> None:
    """Documents of one file and files of one folder make the same fleet as a list, and problems name the file."""
    listed = load_fleet(fleet(one("a"), one("b"), one("c")))
    text = f"{document(one('a'))}---\n{document(one('b'))}---\n{document(one('c'))}"
    assert load_fleet(text) == listed
    (tmp_path / "1.yaml").write_text(f"{document(one('a'))}---\n{document(one('b'))}", "utf-8")
    (tmp_path / "2.yml").write_text(document(one("c")), "utf-8")
    (tmp_path / ".hidden.yaml").write_text("{", "utf-8")
    (tmp_path / "notes.md").write_text("{", "utf-8")
    assert load_fleet(tmp_path).control_planes == listed.control_planes
    assert load_fleet(tmp_path).name == tmp_path.name
    (tmp_path / "2.yml").write_text(document(one("b", address="c.example.com", meshID="c")), "utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_fleet(tmp_path)
    file = tmp_path / "2.yml"
    assert str(caught.value).splitlines()[0] == (
        f"{file}:4: metadata.name: 'b' is already the name of another control plane: choose another"
    )
    (tmp_path / "1.yaml").write_text("a: [", "utf-8")
    file.write_text("b: {", "utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_fleet(tmp_path)
    assert [Path(each.file or "").name for each in caught.value.problems] == ["1.yaml", "2.yml"]


def test_nothing_to_read(tmp_path: Path) -> None:
    """An empty text and a folder without YAML are refused."""
    with pytest.raises(InvalidInput) as caught:
        load_fleet("\n", name="fleet.yaml")
    assert str(caught.value) == "fleet.yaml: has no external control plane: add one"
    with pytest.raises(InvalidInput) as caught:
        load_fleet(tmp_path)
    assert str(caught.value) == f"{tmp_path}: has no .yaml or .yml file: name another folder"


def test_a_release_for_all() -> None:
    """A release that is given takes the place of those of all control planes."""
    made = load_fleet(EXAMPLE, release="1.28")
    assert {each.release for each in made.control_planes} == {"1.28"}


def test_the_schema() -> None:
    """The schema accepts the example, refuses unknown keys, and explains keys of control planes and defaults."""
    published = fleet_schema()
    jsonschema.Draft202012Validator.check_schema(published)
    content = yaml.load(EXAMPLE.read_bytes())
    jsonschema.validate(content, published)
    content["spec"]["defaults"]["configCluster"] = {"network": "network1"}  # the name is each one's own
    del content["spec"]["controlPlanes"][0]["configCluster"]["network"]
    jsonschema.validate(content, published)
    content["spec"]["controlPlanes"][0]["meshId"] = "x"
    with pytest.raises(jsonschema.ValidationError, match="meshId"):
        jsonschema.validate(content, published)
    assert explain("spec.controlPlanes.gateway.name").type == "text"
    assert explain("spec.defaults.release").description == explain("spec.release").description
