"""What differs between Istio's minor releases: one record a release, made from a table of changes.

Releases after 1.31 are refused until somebody has looked at them. "istio 1.24.6: path" names a file of
github.com/istio/istio at that tag; charts are below manifests/charts, profiles below manifests/profiles.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from extcp_manifests.documents.networking import NetworkingVersion
from extcp_manifests.errors import InvalidInput, Problem, require


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Release:
    """An Istio minor and what the documents of an external control plane look like for it; there is one of each."""

    name: str
    kubernetes: str
    """The Kubernetes minors that this release supports."""
    remote_profile: str
    """The profile of an installation in a remote cluster."""
    profiles_of_remotes: tuple[str, ...]
    """The profiles for remote clusters that this release has; `external` was the older name of `remote`."""
    routing_api_version: NetworkingVersion
    """apiVersion of the Gateway and VirtualService in front of istiod."""
    destination_rule_api_version: NetworkingVersion
    """apiVersion of the DestinationRule in front of istiod."""
    sample_api_version: NetworkingVersion
    """apiVersion of the Gateways and VirtualServices from Istio's samples."""
    istiod_is_told_its_cluster: bool
    """Whether istiod's own values carry the config cluster's name and network."""
    external_istiod_value: bool | None
    """`global.externalIstiod` of the external istiod; None leaves it out."""
    legacy_service_account: bool
    """Whether the guide creates the ServiceAccount `istiod-service-account` beside the namespace."""
    config_maps_everywhere: tuple[str, ...]
    """The ConfigMaps that istiod makes in every namespace, and that nothing removes."""
    saves_installed_state: bool
    """Whether `istioctl install` ends by saving an IstioOperator, which fails in a cluster without that CRD."""
    uninstall_by_owner: bool
    """Whether `istioctl uninstall -f` removes all that an installation made; else it only removes istiod."""
    mounting_values: Literal["values", "unvalidatedValues"] | None
    """The key of an IstioOperator's spec whose `pilot.volumes` and `pilot.volumeMounts` istiod gets as mounts.

    None: the chart has no such values, so that only patches of what it renders can mount.
    """
    untyped_operator: bool
    """Whether istioctl merges IstioOperators as plain trees and patches what it rendered; else by their types."""
    copies_replicas: bool
    """Whether replicas and autoscaling of a component become values of its chart too."""
    set_as_text: tuple[str, ...]
    """Beginnings of the paths whose `--set` values stay text, whatever they look like."""
    set_splits_once: bool
    """Whether a `--set` value may hold `=` itself."""
    shared_networks_first: bool
    """Whether istiod takes the config cluster's meshNetworks before those of its own file; else it never reads them."""
    ipv6: bool
    """Whether `remotePilotAddress` may be an IPv6 address."""
    revision_by_ip: bool
    """Whether a revision works together with `remotePilotAddress`."""
    secret_has_empty_fields: bool
    """Whether remote secrets carry `creationTimestamp: null` and `preferences: {}`."""
    tls_server_name: bool
    """Whether remote secrets can carry `tls-server-name`."""
    charts: str
    """The chart repository that has this release, and will go on to have it."""
    images: str
    """The registry that has this release's images, and will go on to have them."""
    default_images_end: bool
    """Whether the registry that this release takes by itself will be switched off, so that documents name another."""
    helloworld_image: str
    """Image of the helloworld sample, with its registry and version left open."""
    client: str
    """Name of the sample that sends requests."""
    client_image: str
    """Image of that sample."""

    def __str__(self) -> str:
        return self.name

    def hub(self, wanted: str | None) -> str | None:
        """Return the registry that documents must name: the wanted one, or None where the release's own goes on."""
        if wanted is None and self.default_images_end:
            return self.images
        return wanted


@dataclass(frozen=True, slots=True)
class ReleaseRange:
    """Releases from one on and up to another one, both among them: of every row of a table that does not always hold.

    No row names the newest release as its end, so that a new release changes only what differs in it.
    """

    since: str | None = None
    """The first release; None is an open end."""
    until: str | None = None
    """The last release; None is an open end."""

    def __contains__(self, release: Release) -> bool:
        number = _number(release.name)
        begun = self.since is None or _number(self.since) <= number
        ended = self.until is not None and _number(self.until) < number
        return begun and not ended

    def __str__(self) -> str:
        """Return the range for people: `every release`, `Istio from 1.24`, `Istio to 1.23`, `Istio 1.19 to 1.21`."""
        if self.since is None:
            return "every release" if self.until is None else f"Istio to {self.until}"
        return f"Istio from {self.since}" if self.until is None else f"Istio {self.since} to {self.until}"


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def since(first: str, *, until: str | None = None) -> ReleaseRange:
    """Return the range from a release on."""
    return ReleaseRange(first, until)


def until(last: str) -> ReleaseRange:
    """Return the range up to a release."""
    return ReleaseRange(None, last)


EVERY_RELEASE = ReleaseRange()


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is different from a release on."""

    since: str
    what: str
    fields: dict[str, Any]


_FIRST = Release(
    name="1.15",
    kubernetes="1.22-1.25",
    remote_profile="external",  # istio 1.15.7: profiles/external.yaml
    profiles_of_remotes=("external",),  # istio 1.15.7: profiles
    routing_api_version="networking.istio.io/v1beta1",  # the guide, 1.15 to 1.23; valid in every release
    destination_rule_api_version="networking.istio.io/v1alpha3",  # the guide, 1.15 to 1.23; valid in every release
    sample_api_version="networking.istio.io/v1alpha3",  # istio 1.15.7: samples/multicluster/expose-services.yaml
    istiod_is_told_its_cluster=False,  # the guide, 1.15 to 1.18
    external_istiod_value=None,  # istio 1.22.8: istio-discovery/templates/reader-clusterrole.yaml, reader rules only
    legacy_service_account=True,  # the guide, up to 1.23; nothing uses the account
    config_maps_everywhere=("istio-ca-root-cert",),  # istio 1.15.7: pilot/pkg/serviceregistry/kube/controller
    saves_installed_state=True,  # istio 1.20.8: operator/pkg/helmreconciler; read, not run
    uninstall_by_owner=False,  # istio 1.20.8: operator/cmd/mesh/uninstall.go, issues 31976 and 47960; read, not run
    mounting_values=None,  # istio 1.18.7: istio-discovery/templates/deployment.yaml ignores them
    untyped_operator=False,  # istio 1.23.6: operator/pkg/util/merge_iop.go, operator/pkg/patch/patch.go
    copies_replicas=False,  # istio 1.27.9: operator/pkg/render
    set_as_text=(),  # istio 1.17.8: operator/pkg/manifest/shared.go
    set_splits_once=False,  # istio 1.30.3: operator/pkg/values/map.go
    shared_networks_first=False,  # istio 1.24.6: pilot/pkg/bootstrap/mesh.go, with a mesh config file
    ipv6=False,  # istio 1.29.6: istio-discovery/templates/remote-istiod-service.yaml makes it an ExternalName
    revision_by_ip=False,  # istio 1.19.10: istiod-remote/templates/istiod-remote-service.yaml ignores the revision
    secret_has_empty_fields=True,  # istio 1.15.7: istioctl create-remote-secret, through its Kubernetes libraries
    tls_server_name=False,  # istio 1.25.5: istioctl/pkg/multicluster/options.go
    # istio.io: content/en/blog/2026/retirement-of-gcp and retirement-of-gcr.io-follow-up, which also name the places
    # that end in December 2026 and have nothing of 1.31; read, not tried
    charts="https://blob.istio.io/istio-release/charts",
    images="docker.io/istio",
    default_images_end=False,  # released binaries and charts take docker.io/istio; read, not tried
    helloworld_image="{images}/examples-helloworld-{version}",  # istio 1.15.7: samples/helloworld
    client="sleep",  # istio 1.15.7: samples/sleep/sleep.yaml
    client_image="curlimages/curl",  # istio 1.15.7: samples/sleep/sleep.yaml
)


CHANGES = (
    Change(
        "1.16",
        "remote clusters use the profile `remote`, before that `external`",
        {"remote_profile": "remote", "profiles_of_remotes": ("external", "remote")},  # istio 1.16.7: profiles
    ),
    Change(
        "1.18",
        "the external istiod is told the config cluster's name and network, for the gateways that it provisions",
        {"istiod_is_told_its_cluster": True},  # istio 1.18.7: istio-discovery/files/kube-gateway.yaml
    ),
    Change(
        "1.18",
        "`--set` values of proxyMetadata stay text",
        {"set_as_text": ("meshConfig.defaultConfig.proxyMetadata.",)},  # istio 1.18.7: operator/pkg/manifest/shared.go
    ),
    Change(
        "1.19",
        "istiod's mounts are values, which overlays of people leave alone, before that patches",
        {"mounting_values": "values"},  # istio 1.19.10: istio-discovery/templates/deployment.yaml, values_types.proto
    ),
    Change(
        "1.20",
        "a revision works with an IP address",
        {"revision_by_ip": True},  # istio 1.20.8: istiod-remote/templates/istiod-remote-service.yaml, note 47552
    ),
    Change(
        "1.21",
        "`istioctl install` no longer saves an IstioOperator in the cluster",
        {"saves_installed_state": False},  # istio 1.21.6: note drop-iop
    ),
    Change(
        "1.21",
        "`istioctl uninstall -f` removes all that an installation made, before that only istiod",
        {"uninstall_by_owner": True},  # istio 1.21.6: pull request 47961; read, not run
    ),
    Change(
        "1.21",
        "`--set` values of compatibilityVersion stay text",
        # istio 1.21.6: operator/pkg/manifest/shared.go
        {"set_as_text": ("meshConfig.defaultConfig.proxyMetadata.", "compatibilityVersion")},
    ),
    Change(
        "1.22",
        "istiod's mounts are values that istioctl does not validate, since it refuses volumes among the others",
        # istio 1.22.8: operator/pkg/apis/istio/v1alpha1/values_types.proto has Kubernetes' Volume, whose message nests
        # the kinds of volumes under volumeSource, unlike the manifests that the chart makes of it
        {"mounting_values": "unvalidatedValues"},
    ),
    Change(
        "1.22",
        "the helloworld sample's image has a tag",
        # istio 1.22.8: samples/helloworld/helloworld.yaml
        {"helloworld_image": "{images}/examples-helloworld-{version}:1.0"},
    ),
    Change(
        "1.22",
        "the profile `external` is gone",
        {"profiles_of_remotes": ("remote",)},  # istio 1.22.8: profiles, operator/pkg/manifest/shared.go
    ),
    Change(
        "1.24",
        "networking documents use `networking.istio.io/v1`",
        {
            "routing_api_version": "networking.istio.io/v1",  # the guide from 1.24; served since 1.22
            "destination_rule_api_version": "networking.istio.io/v1",  # the guide from 1.24; served since 1.22
            "sample_api_version": "networking.istio.io/v1",  # istio 1.24.6: samples/multicluster/expose-services.yaml
        },
    ),
    Change(
        "1.24",
        "the external istiod sets `global.externalIstiod`",
        {"external_istiod_value": True},  # istio 1.24.6: istio-discovery/templates/deployment.yaml
    ),
    Change(
        "1.24",
        "the unused ServiceAccount `istiod-service-account` is gone",
        {"legacy_service_account": False},  # the guide from 1.24
    ),
    Change(
        "1.24",
        "istioctl merges IstioOperators as plain trees, and ignores an overlay that fits no object",
        {"untyped_operator": True},  # istio 1.24.6: operator/pkg/render/manifest.go, postprocess.go
    ),
    Change(
        "1.24",
        "`--set` values of tags stay text",
        {
            "set_as_text": (  # istio 1.24.6: operator/pkg/values/map.go
                "tag",
                "values.global.tag",
                "compatibilityVersion",
                "values.compatibilityVersion",
                "meshConfig.defaultConfig.proxyMetadata.",
                "values.meshConfig.defaultConfig.proxyMetadata.",
            )
        },
    ),
    Change(
        "1.24",
        "the sample client is curl, before that sleep",
        {"client": "curl"},  # istio 1.24.6: samples/curl/curl.yaml
    ),
    Change(
        "1.25",
        "istiod takes the config cluster's meshNetworks before those of its own file, which it alone read before",
        {"shared_networks_first": True},  # istio 1.25.5: pilot/pkg/bootstrap/mesh.go
    ),
    Change(
        "1.26",
        "remote secrets can carry `tls-server-name`",
        {"tls_server_name": True},  # istio 1.26.8: istioctl/pkg/multicluster/options.go, note 55692
    ),
    Change(
        "1.26",
        "the sample client's image has a registry and a tag",
        {"client_image": "docker.io/curlimages/curl:8.16.0"},  # istio 1.26.8: samples/curl/curl.yaml
    ),
    Change(
        "1.27",
        "istiod can distribute lists of revoked certificates, in a ConfigMap in every namespace",
        # istio 1.27.9: pilot/pkg/serviceregistry/kube/controller; read, not run
        {"config_maps_everywhere": ("istio-ca-root-cert", "istio-ca-crl")},
    ),
    Change(
        "1.28",
        "remote secrets have no `creationTimestamp` and no `preferences`",
        {"secret_has_empty_fields": False},  # istio 1.28.10: istioctl create-remote-secret
    ),
    Change(
        "1.28",
        "replicas and autoscaling of a component become values of its chart too",
        {"copies_replicas": True},  # istio 1.28.10: operator/pkg/render; read, not run
    ),
    Change(
        "1.29",
        "replicas and autoscaling of a component no longer become values of its chart",
        {"copies_replicas": False},  # istio 1.29.6: operator/pkg/render; read, not run
    ),
    Change(
        "1.29",
        "istiod's mounts are values like all others again",
        {"mounting_values": "values"},  # istio 1.29.6: operator/pkg/apis/values_types.proto
    ),
    Change(
        "1.30",
        "the address may be IPv6",
        {"ipv6": True},  # istio 1.30.3: istio-discovery/templates/remote-istiod-service.yaml
    ),
    Change(
        "1.30",
        "images are named as docker.io/istio, since the registry that this release takes by itself ends in 2026",
        # istio 1.30.3: note use-registry-istio-io; istio.io: news/releases/1.31.x/announcing-1.31/upgrade-notes
        {"default_images_end": True},
    ),
    Change(
        "1.31",
        "images come from docker.io/istio by themselves again",
        {"default_images_end": False},  # istio.io: news/releases/1.31.x/announcing-1.31/upgrade-notes
    ),
    Change(
        "1.31",
        "replicas and autoscaling of a component become values of its chart again",
        {"copies_replicas": True},  # istio 1.31: operator/pkg/render, branch release-1.31; read, not run
    ),
    Change(
        "1.31",
        "a `--set` value may hold `=`",
        {"set_splits_once": True},  # istio 1.31: operator/pkg/values/map.go, branch release-1.31
    ),
)


# istio.io: data/compatibility/supportStatus.yml; 1.31: the row of the main branch, since no final release was seen.
_KUBERNETES = {
    "1.15": "1.22-1.25",
    "1.16": "1.22-1.25",
    "1.17": "1.23-1.26",
    "1.18": "1.24-1.27",
    "1.19": "1.25-1.28",
    "1.20": "1.25-1.29",
    "1.21": "1.26-1.29",
    "1.22": "1.27-1.30",
    "1.23": "1.27-1.30",
    "1.24": "1.28-1.31",
    "1.25": "1.29-1.32",
    "1.26": "1.29-1.33",
    "1.27": "1.29-1.33",
    "1.28": "1.30-1.34",
    "1.29": "1.31-1.35",
    "1.30": "1.32-1.36",
    "1.31": "1.32-1.36",
}


def _releases() -> dict[str, Release]:
    releases = {}
    current = _FIRST
    for name, kubernetes in _KUBERNETES.items():
        changed = {field: value for change in CHANGES if change.since == name for field, value in change.fields.items()}
        current = replace(current, name=name, kubernetes=kubernetes, **changed)
        releases[name] = current
    return releases


RELEASES = _releases()


def find_release(release: Release | str) -> Release:
    """The record of an Istio minor such as `1.24`; a record comes back as it is.

    Raises InvalidInput with path `release`.
    """
    if isinstance(release, Release):
        return release
    require(release, str, ("release",), "text such as '1.24'")
    try:
        return RELEASES[release]
    except KeyError:
        known = list(RELEASES)
        minor = ".".join(release.removeprefix("v").split(".")[:2])
        hint = f"write the minor {minor!r}" if minor in RELEASES else f"known are {known[0]} to {known[-1]}"
        if release == f"v{minor}":
            hint = f"leave the 'v' out, and write {minor!r}"
        raise InvalidInput([Problem(("release",), f"{release!r} is no known Istio release: {hint}")]) from None


def first_release_with(field: str, value: object = True) -> str:
    """The first release in which a field has a value."""
    return next(name for name, release in RELEASES.items() if getattr(release, field) == value)
