"""The table of releases."""

import importlib.metadata
import inspect
from itertools import pairwise

import pytest

import extcp_manifests
from extcp_manifests import InvalidInput
from extcp_manifests.istio.releases import (
    EVERY_RELEASE,
    RELEASES,
    Release,
    ReleaseRange,
    find_release,
    first_release_with,
    since,
    until,
)

# The releases at which each field takes the values in turn.
EXPECTED = {
    "remote_profile": {"1.15": "external", "1.16": "remote"},
    "profiles_of_remotes": {"1.15": ("external",), "1.16": ("external", "remote"), "1.22": ("remote",)},
    "routing_api_version": {"1.15": "networking.istio.io/v1beta1", "1.24": "networking.istio.io/v1"},
    "destination_rule_api_version": {"1.15": "networking.istio.io/v1alpha3", "1.24": "networking.istio.io/v1"},
    "sample_api_version": {"1.15": "networking.istio.io/v1alpha3", "1.24": "networking.istio.io/v1"},
    "istiod_is_told_its_cluster": {"1.15": False, "1.18": True},
    "external_istiod_value": {"1.15": None, "1.24": True},
    "legacy_service_account": {"1.15": True, "1.24": False},
    "mounting_values": {"1.15": None, "1.19": "values", "1.22": "unvalidatedValues", "1.29": "values"},
    "charts": {"1.15": "https://blob.istio.io/istio-release/charts"},
    "images": {"1.15": "docker.io/istio"},
    "default_images_end": {"1.15": False, "1.30": True, "1.31": False},
    "config_maps_everywhere": {"1.15": ("istio-ca-root-cert",), "1.27": ("istio-ca-root-cert", "istio-ca-crl")},
    "saves_installed_state": {"1.15": True, "1.21": False},
    "uninstall_by_owner": {"1.15": False, "1.21": True},
    "http_route_api_version": {
        "1.15": None,
        "1.16": "gateway.networking.k8s.io/v1beta1",
        "1.24": "gateway.networking.k8s.io/v1",
    },
    "tls_route_api_version": {"1.15": None, "1.30": "gateway.networking.k8s.io/v1"},
    "forgets_validation_policy": {"1.15": False, "1.28": True},
    "ca_bundles": {"1.15": False, "1.22": True},
    "native_sidecar": {
        "1.15": 'eq (env "ENABLE_NATIVE_SIDECARS" "false") "true"',
        "1.24": (
            'eq (index .ObjectMeta.Annotations "sidecar.istio.io/nativeSidecar" '
            '| default (env "ENABLE_NATIVE_SIDECARS" "false")) "true"'
        ),
        "1.27": (
            'ne (index .ObjectMeta.Annotations "sidecar.istio.io/nativeSidecar" '
            '| default (printf "%t" .NativeSidecars)) "false"'
        ),
    },
    "platforms": {
        "1.15": (),
        "1.24": ("k3d", "k3s", "microk8s", "minikube", "openshift"),
        "1.25": ("gke", "k3d", "k3s", "microk8s", "minikube", "openshift"),
    },
    "cni_value": {
        "1.15": ("values", "istio_cni", "enabled"),
        "1.22": ("values", "pilot", "cni", "enabled"),
        "1.24": ("unvalidatedValues", "pilot", "cni", "enabled"),
    },
    "has_istiod_remote_chart": {"1.15": True, "1.24": False},
    "merges_plain_trees": {"1.15": False, "1.24": True},
    "keeps_nulls": {"1.15": False, "1.24": True},
    "keeps_empty_text": {"1.15": False, "1.24": True},
    "spec_mesh_config_wins": {"1.15": False, "1.24": True},
    "refuses_unknown_mesh_config": {"1.15": True, "1.24": False},
    "moves_pilot_values": {"1.15": True, "1.24": False},
    "trims_address_ranges": {"1.15": True, "1.24": False},
    "components_default_on": {"1.15": False, "1.24": True},
    "values_turn_gateways_on": {"1.15": False, "1.24": True},
    "components_default_to_metadata_namespace": {"1.15": False, "1.24": True},
    "set_may_begin_with_spec": {"1.15": True, "1.24": False},
    "set_writes_as_patches": {"1.15": True, "1.24": False},
    "overlays_accumulate": {"1.15": False, "1.24": True},
    "overlays_reach_all_namespaces": {"1.15": False, "1.24": True},
    "overlays_patch_every_match": {"1.15": False, "1.24": True},
    "ignores_unmatched_overlays": {"1.15": False, "1.24": True},
    "trims_patch_paths": {"1.15": True, "1.24": False},
    "set_as_text": {
        "1.15": (),
        "1.18": ("meshConfig.defaultConfig.proxyMetadata.",),
        "1.21": ("meshConfig.defaultConfig.proxyMetadata.", "compatibilityVersion"),
        "1.24": (
            "tag",
            "values.global.tag",
            "compatibilityVersion",
            "values.compatibilityVersion",
            "meshConfig.defaultConfig.proxyMetadata.",
            "values.meshConfig.defaultConfig.proxyMetadata.",
        ),
    },
    "copies_replicas": {"1.15": False, "1.28": True, "1.29": False, "1.31": True},
    "set_splits_once": {"1.15": False, "1.31": True},
    "shared_networks_first": {"1.15": False, "1.25": True},
    "ipv6": {"1.15": False, "1.30": True},
    "revision_by_ip": {"1.15": False, "1.20": True},
    "secret_has_empty_fields": {"1.15": True, "1.28": False},
    "tls_server_name": {"1.15": False, "1.26": True},
    "helloworld_image": {
        "1.15": "{images}/examples-helloworld-{version}",
        "1.22": "{images}/examples-helloworld-{version}:1.0",
    },
    "client": {"1.15": "sleep", "1.24": "curl"},
    "client_image": {"1.15": "curlimages/curl", "1.26": "docker.io/curlimages/curl:8.16.0"},
}


ORDER = list(RELEASES)
KNOWN = f"known are {ORDER[0]} to {ORDER[-1]}"


def test_every_minor_is_there_in_order() -> None:
    """From 1.15 on every minor has one record, which has its name, and nothing else has."""
    assert [f"1.{15 + number}" for number in range(len(ORDER))] == ORDER
    assert [release.name for release in RELEASES.values()] == ORDER


def test_kubernetes_minors_are_a_range_or_not_known() -> None:
    """A release names the first and the last Kubernetes minor that it supports, or None where nobody knows."""
    for release in RELEASES.values():
        if release.kubernetes is not None:
            first, last = (number for _, number in (minor.split(".") for minor in release.kubernetes.split("-")))
            assert int(first) < int(last)


def test_the_sail_operator_installs_releases_without_a_gap() -> None:
    """It is known for each release from the first one that it can install to the last one that was looked at."""
    known = [name for name, release in RELEASES.items() if release.sail is not None]
    assert known == ORDER[ORDER.index("1.24") : ORDER.index("1.31") + 1]


@pytest.mark.parametrize("field", list(inspect.signature(Release).parameters))
def test_real_filess_change_where_they_should(field: str) -> None:
    """Each field takes its values at the releases that the sources name, and at no other."""
    if field in ("name", "kubernetes", "sail", "changes"):
        return
    values: dict[str, object] = {}
    for name, release in RELEASES.items():
        value = getattr(release, field)
        if not values or value != list(values.values())[-1]:
            values[name] = value
    assert values == EXPECTED[field]


def test_every_change_changes_something() -> None:
    """No change is without effect, none is overwritten by another one of its release, and each has a sentence."""
    for before, after in pairwise(RELEASES.values()):
        for change in after.changes:
            assert change.what
            for field, value in change.fields.items():
                assert getattr(before, field) != value
                assert getattr(after, field) == value


def test_the_oldest_release_has_no_changes() -> None:
    """Nothing is told of what was before the first release."""
    assert RELEASES[ORDER[0]].changes == ()


@pytest.mark.parametrize(
    ("release", "hint"),
    [
        ("1.14", KNOWN),
        ("1.999", KNOWN),
        ("1.24.6", "write the minor '1.24'"),
        ("1.3", KNOWN),
        ("", KNOWN),
        ("v1.24", "leave the 'v' out, and write '1.24'"),
        ("v1.24.6", "write the minor '1.24'"),
        ("1.24 ", KNOWN),
    ],
)
def test_unknown_releases(release: str, hint: str) -> None:
    """A release that is not in the table is refused with the nearest way out."""
    with pytest.raises(InvalidInput) as caught:
        find_release(release)
    assert str(caught.value) == f"release: {release!r} is not a known Istio release: {hint}"


@pytest.mark.parametrize(
    ("releases", "text", "inside"),
    [
        (EVERY_RELEASE, "every release", ["1.15", "1.23", "1.24"]),
        (since("1.24"), "Istio from 1.24", ["1.24"]),
        (until("1.23"), "Istio to 1.23", ["1.15", "1.23"]),
        (since("1.16", until="1.23"), "Istio 1.16 to 1.23", ["1.23"]),
    ],
)
def test_ranges(releases: ReleaseRange, text: str, inside: list[str]) -> None:
    """A range includes both of its ends, an open end includes all, and people read it in words."""
    assert str(releases) == text
    assert [name for name in ("1.15", "1.23", "1.24") if RELEASES[name] in releases] == inside


def test_the_first_release_with_a_value() -> None:
    """The first release is found whose field has a value; one that no release has is an error."""
    assert first_release_with("ipv6") == "1.30"
    assert first_release_with("mounting_values", "values") == "1.19"
    with pytest.raises(LookupError):
        first_release_with("client", "wget")


def test_the_version_of_the_package() -> None:
    """The package says its own version, the one it is installed as."""
    assert extcp_manifests.__version__ == importlib.metadata.version("extcp-manifests")
