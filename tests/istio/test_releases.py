"""The table of releases."""

import dataclasses
import importlib.metadata

import pytest

import extcp_manifests
from extcp_manifests import InvalidInput
from extcp_manifests.istio.releases import CHANGES, RELEASES, Release, find_release

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
    "untyped_operator": {"1.15": False, "1.24": True},
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


def test_every_minor_is_there_in_order() -> None:
    """Every minor from 1.15 to 1.31 has one record, and nothing else has."""
    assert list(RELEASES) == [f"1.{minor}" for minor in range(15, 32)]
    assert [release.name for release in RELEASES.values()] == list(RELEASES)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Release)])
def test_fields_change_where_they_should(field: str) -> None:
    """Each field takes its values at the releases that the sources name, and at no other."""
    if field in ("name", "kubernetes"):
        return
    values: dict[str, object] = {}
    for name, release in RELEASES.items():
        value = getattr(release, field)
        if not values or value != list(values.values())[-1]:
            values[name] = value
    assert values == EXPECTED[field]


def test_every_change_changes_something() -> None:
    """No change is without effect, and each has a sentence."""
    names = list(RELEASES)
    for change in CHANGES:
        before = RELEASES[names[names.index(change.since) - 1]]
        assert change.what
        for field, value in change.fields.items():
            assert getattr(before, field) != value
            assert getattr(RELEASES[change.since], field) == value


@pytest.mark.parametrize(
    ("release", "hint"),
    [
        ("1.14", "known are 1.15 to 1.31"),
        ("1.32", "known are 1.15 to 1.31"),
        ("1.24.6", "write the minor '1.24'"),
        ("1.3", "known are 1.15 to 1.31"),
        ("", "known are 1.15 to 1.31"),
        ("v1.24", "leave the 'v' out, and write '1.24'"),
        ("1.24 ", "known are 1.15 to 1.31"),
    ],
)
def test_unknown_releases(release: str, hint: str) -> None:
    """A release that is not in the table is refused with the nearest way out."""
    with pytest.raises(InvalidInput) as caught:
        find_release(release)
    assert str(caught.value) == f"release: {release!r} is no known Istio release: {hint}"


def test_the_version_of_the_package() -> None:
    """The package says its own version, the one it is installed as."""
    assert extcp_manifests.__version__ == importlib.metadata.version("extcp-manifests")
