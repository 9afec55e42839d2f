"""What differs between Istio's minor releases: one record for each, made from a table of changes.

A release that the table does not have is refused, until somebody has looked at what changes with it and has added its
record. "istio 1.24.6: path" names a file of github.com/istio/istio at that tag; charts are below manifests/charts,
profiles below manifests/profiles.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from extcp_manifests.documents.networking import NetworkingVersion
from extcp_manifests.errors import InvalidInput, Problem, require
from extcp_manifests.records import Record


class Change(Record):
    """Something that is different from a release on."""

    what: str
    """The change in one sentence, for people."""
    fields: Mapping[str, Any]
    """The fields of `Release` that take another value, and the value."""


class Release(Record, kw_only=True, eq=False):
    """An Istio minor and what the documents of an external control plane look like for it; there is one of each."""

    name: str
    """The minor, such as `1.24`."""
    kubernetes: str | None
    """The Kubernetes minors that this release supports, such as `1.28-1.31`; None where that is not known."""
    sail: str | None
    """The releases of the Sail Operator that install this one, in words; None where none is known to."""
    changes: tuple[Change, ...]
    """What is different from the release before."""

    # What is installed, and from where
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
    platforms: tuple[str, ...]
    """The kinds of Kubernetes that `global.platform` of the charts may name."""
    cni_value: tuple[str, ...]
    """The key of an IstioOperator's spec that says whether istiod injects pods for nodes with the CNI plugin."""
    has_istiod_remote_chart: bool
    """Whether there is a chart for `components.istiodRemote`; else the chart of istiod serves remote clusters too."""
    shared_networks_first: bool
    """Whether istiod takes the config cluster's meshNetworks before those of its own file; else it never reads them."""
    http_route_api_version: str | None
    """The apiVersion of HTTPRoutes that istiod reads; None where no sample of the release has any."""
    tls_route_api_version: str | None
    """The apiVersion of TLSRoutes that istiod reads without being told to; None where there is none."""
    forgets_validation_policy: bool
    """Whether charts of some patches leave `failurePolicy: Ignore` out of validating webhooks in an upgrade."""
    ca_bundles: bool
    """Whether the charts give webhooks root certificates."""
    native_sidecar: str
    """The condition, as injection templates have it, on which a sidecar is an init container."""
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

    # How istioctl reads IstioOperators and `--set` flags
    merges_plain_trees: bool
    """Whether istioctl merges IstioOperators as plain trees, and makes chart values of the merged tree.

    Else it merges them by their types, as Kubernetes' strategic merge does, and translates them into chart values.
    """
    keeps_nulls: bool
    """Whether null is a value of an IstioOperator like others; else a key with null is as good as none."""
    keeps_empty_text: bool
    """Whether empty text in `k8s.env` gets as far as the Deployment; else it is lost, and the chart's text stays."""
    spec_mesh_config_wins: bool
    """Whether `spec.meshConfig` beats `spec.values.meshConfig`; else it is beaten, and null there deletes."""
    refuses_unknown_mesh_config: bool
    """Whether istioctl refuses a mesh config with keys that istiod does not know; else istiod ignores them silently."""
    moves_pilot_values: bool
    """Whether `values.pilot.env` and its like become settings of the component; else they stay the chart's values."""
    trims_address_ranges: bool
    """Whether blanks around the parts of `includeIPRanges` and `excludeIPRanges` do no harm."""
    components_default_on: bool
    """Whether a component is on unless a document turns it off; else it is off unless a document turns it on."""
    values_turn_gateways_on: bool
    """Whether `values.gateways.*.enabled: true` turns on all gateways of its chart, whatever they say themselves."""
    components_default_to_metadata_namespace: bool
    """Whether `metadata.namespace` is where components go that nothing else places; else `spec.namespace` places them.
    """
    copies_replicas: bool
    """Whether replicas and autoscaling of a component become values of its chart too."""
    set_as_text: tuple[str, ...]
    """Beginnings of the paths whose `--set` values stay text, whatever they look like."""
    set_splits_once: bool
    """Whether a `--set` value may hold `=` itself."""
    set_may_begin_with_spec: bool
    """Whether the path of a `--set` flag may begin with `spec.`; else that makes `spec.spec`."""
    set_writes_as_patches: bool
    """Whether `--set` writes by the rules of patches; else it has rules of its own, which only append to lists."""

    # How istioctl finds the objects that overlays patch
    overlays_accumulate: bool
    """Whether a second overlay of an object goes on from the first one's result; else only the last one counts."""
    overlays_reach_all_namespaces: bool
    """Whether an overlay finds its object in every namespace; else only in the component's, or without namespace."""
    overlays_patch_every_match: bool
    """Whether an overlay that fits several objects patches each; else istioctl stops with an error."""
    ignores_unmatched_overlays: bool
    """Whether istioctl silently ignores an overlay that fits no object; else it stops with an error."""
    trims_patch_paths: bool
    """Whether istioctl skips a patch whose path is blanks alone; else the blanks are a key."""

    def __repr__(self) -> str:
        return f"<Release {self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the name alone, since each release is there once."""
        return find_release, (self.name,)

    def __str__(self) -> str:
        return self.name

    def hub(self, wanted: str | None) -> str | None:
        """Return the registry that documents must name: the wanted one, or None where the release's own goes on."""
        if wanted is None and self.default_images_end:
            return self.images
        return wanted


class ReleaseRange(Record):
    """Releases from one to another, both included: what a row of a table holds for.

    No row names the newest release as its end, so that a new release changes only what differs in it.
    """

    since: str | None = None
    """The first release; None is an open end."""
    until: str | None = None
    """The last release; None is an open end."""

    def __contains__(self, release: Release) -> bool:
        number = _number(release.name)
        if self.since is not None and number < _number(self.since):
            return False
        return self.until is None or number <= _number(self.until)

    def __str__(self) -> str:
        """Return the range for people: `every release`, `Istio from 1.24`, `Istio to 1.23`, `Istio 1.19 to 1.21`."""
        if self.since is None:
            return "every release" if self.until is None else f"Istio to {self.until}"
        return f"Istio from {self.since}" if self.until is None else f"Istio {self.since} to {self.until}"


@cache
def _number(name: str) -> tuple[int, ...]:
    """Return the name of a release as numbers, which compare: `1.9` comes before `1.10`."""
    return tuple(int(part) for part in name.split("."))


def since(first: str, *, until: str | None = None) -> ReleaseRange:
    """Return the range from a release on."""
    return ReleaseRange(first, until)


def until(last: str) -> ReleaseRange:
    """Return the range up to a release."""
    return ReleaseRange(None, last)


EVERY_RELEASE = ReleaseRange()


# -------------------------------------------------------------------------------------------------------------- lookup


def find_release(release: Release | str) -> Release:
    """Return the record of an Istio minor such as `1.24`; a record comes back as it is.

    Raises InvalidInput with path `release`.
    """
    if isinstance(release, Release):
        return release
    require(release, str, ("release",), "text such as '1.24'")
    if release not in RELEASES:
        raise InvalidInput([Problem(("release",), f"{release!r} is not a known Istio release: {_way_out(release)}")])
    return RELEASES[release]


def _way_out(unknown: str) -> str:
    """Return what to write instead of a release that is not known: its minor, or else one of the known ones."""
    minor = ".".join(unknown.removeprefix("v").split(".")[:2])
    if minor not in RELEASES:
        first, *_, last = RELEASES
        return f"known are {first} to {last}"
    if unknown == f"v{minor}":
        return f"leave the 'v' out, and write {minor!r}"
    return f"write the minor {minor!r}"


def first_release_with(field: str, value: object = True) -> str:
    """Return the name of the first release whose field has a value. Raises LookupError where none has it."""
    for release in RELEASES.values():
        if getattr(release, field) == value:
            return release.name
    raise LookupError(f"no release has {value!r} as its {field}")


# --------------------------------------------------------------------------------------------------------------- table


# The oldest release, from which the others differ by their changes.
_FIRST = Release(
    name="1.15",
    kubernetes="1.22-1.25",
    sail=None,
    changes=(),
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
    platforms=(),  # istio 1.23.6: istio-discovery/templates/deployment.yaml, a variable alone
    cni_value=("values", "istio_cni", "enabled"),  # istio 1.21.6: istio-discovery/files/injection-template.yaml
    has_istiod_remote_chart=True,  # istio 1.23.6: istiod-remote
    shared_networks_first=False,  # istio 1.24.6: pilot/pkg/bootstrap/mesh.go, with a mesh config file
    http_route_api_version=None,  # istio 1.15.7: samples/helloworld
    tls_route_api_version=None,  # istio 1.29.6: pilot/pkg/config/kube/gateway/controller.go
    forgets_validation_policy=False,  # istio 1.27.9: validatingwebhookconfiguration.yaml
    ca_bundles=False,  # istio 1.21.6: istio-discovery/templates/mutatingwebhook.yaml
    # istio 1.23.6: istio-discovery/files/injection-template.yaml
    native_sidecar='eq (env "ENABLE_NATIVE_SIDECARS" "false") "true"',
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
    merges_plain_trees=False,  # istio 1.23.6: operator/pkg/util/merge_iop.go, operator/pkg/translate
    keeps_nulls=False,  # istio 1.23.6: operator/pkg/util/merge_iop.go, operator/pkg/apis/istio
    keeps_empty_text=False,  # istio 1.23.6: operator/pkg/apis/istio, whose structs leave empty text out; read, not run
    spec_mesh_config_wins=False,  # istio 1.15.7: operator/pkg/helm/helm.go; read, not run
    refuses_unknown_mesh_config=True,  # istio 1.15.7: operator/pkg/validate
    moves_pilot_values=True,  # istio 1.15.7: operator/pkg/translate
    trims_address_ranges=True,  # istio 1.15.7: operator/pkg/validate
    components_default_on=False,  # istio 1.15.7: operator/pkg/component
    values_turn_gateways_on=False,  # istio 1.15.7: operator/pkg/component
    components_default_to_metadata_namespace=False,  # istio 1.15.7: operator/pkg/component
    copies_replicas=False,  # istio 1.27.9: operator/pkg/render
    set_as_text=(),  # istio 1.17.8: operator/pkg/manifest/shared.go
    set_splits_once=False,  # istio 1.30.3: operator/pkg/values/map.go
    set_may_begin_with_spec=True,  # istio 1.15.7: operator/pkg/manifest/shared.go
    set_writes_as_patches=True,  # istio 1.15.7: operator/pkg/manifest/shared.go, operator/pkg/tpath/tree.go
    overlays_accumulate=False,  # istio 1.15.7: operator/pkg/patch/patch.go
    overlays_reach_all_namespaces=False,  # istio 1.15.7: operator/pkg/patch/patch.go
    overlays_patch_every_match=False,  # istio 1.15.7: operator/pkg/patch/patch.go
    ignores_unmatched_overlays=False,  # istio 1.15.7: operator/pkg/patch/patch.go
    trims_patch_paths=True,  # istio 1.15.7: operator/pkg/patch/patch.go
)


class _Minor(Record):
    """A release as a record of the table."""

    name: str
    kubernetes: str | None
    sail: str | None
    changes: tuple[Change, ...]


def _minor(name: str, kubernetes: str | None, *changes: Change, sail: str | None = None) -> _Minor:
    return _Minor(name, kubernetes, sail, changes)


# Kubernetes: istio.io: data/compatibility/supportStatus.yml; 1.31: news/releases/1.31.x/announcing-1.31.
# Sail: sail-operator release-1.0, release-1.25 to release-1.30, and main of 2026-08-22, which installs 1.31:
# pkg/istioversion/versions.yaml. Before 1.24 it has no test of an external control plane.
_MINORS = (
    _minor("1.15", "1.22-1.25"),
    _minor(
        "1.16",
        "1.22-1.25",
        Change(
            "remote clusters use the profile `remote`, before that `external`",
            # istio 1.16.7: profiles
            {"remote_profile": "remote", "profiles_of_remotes": ("external", "remote")},
        ),
        Change(
            "istiod reads HTTPRoutes of the Gateway API",
            # istio 1.16.7: samples/helloworld/gateway-api
            {"http_route_api_version": "gateway.networking.k8s.io/v1beta1"},
        ),
    ),
    _minor("1.17", "1.23-1.26"),
    _minor(
        "1.18",
        "1.24-1.27",
        Change(
            "the external istiod is told the config cluster's name and network, for the gateways that it provisions",
            # istio 1.18.7: istio-discovery/files/kube-gateway.yaml
            {"istiod_is_told_its_cluster": True},
        ),
        Change(
            "`--set` values of proxyMetadata stay text",
            # istio 1.18.7: operator/pkg/manifest/shared.go
            {"set_as_text": ("meshConfig.defaultConfig.proxyMetadata.",)},
        ),
    ),
    _minor(
        "1.19",
        "1.25-1.28",
        Change(
            "istiod's mounts are values, which overlays of people leave alone, before that patches",
            # istio 1.19.10: istio-discovery/templates/deployment.yaml, values_types.proto
            {"mounting_values": "values"},
        ),
    ),
    _minor(
        "1.20",
        "1.25-1.29",
        Change(
            "a revision works with an IP address",
            # istio 1.20.8: istiod-remote/templates/istiod-remote-service.yaml, note 47552
            {"revision_by_ip": True},
        ),
    ),
    _minor(
        "1.21",
        "1.26-1.29",
        Change(
            "`istioctl install` no longer saves an IstioOperator in the cluster",
            # istio 1.21.6: note drop-iop
            {"saves_installed_state": False},
        ),
        Change(
            "`istioctl uninstall -f` removes all that an installation made, before that only istiod",
            # istio 1.21.6: pull request 47961; read, not run
            {"uninstall_by_owner": True},
        ),
        Change(
            "`--set` values of compatibilityVersion stay text",
            # istio 1.21.6: operator/pkg/manifest/shared.go
            {"set_as_text": ("meshConfig.defaultConfig.proxyMetadata.", "compatibilityVersion")},
        ),
    ),
    _minor(
        "1.22",
        "1.27-1.30",
        Change(
            "the charts give webhooks root certificates, by `injectionCABundle` and `validationCABundle`",
            # istio 1.22.8: istio-discovery/templates/mutatingwebhook.yaml, validatingwebhookconfiguration.yaml
            {"ca_bundles": True},
        ),
        Change(
            "`values.pilot.cni.enabled` injects pods for the CNI plugin, before that `values.istio_cni.enabled`",
            # istio 1.22.8: istio-discovery/files/injection-template.yaml
            {"cni_value": ("values", "pilot", "cni", "enabled")},
        ),
        Change(
            "istiod's mounts are values that istioctl does not validate, since it refuses volumes among the others",
            # istio 1.22.8: operator/pkg/apis/istio/v1alpha1/values_types.proto has Kubernetes' Volume, whose message
            # nests the kinds of volumes under volumeSource, unlike the manifests that the chart makes of it
            {"mounting_values": "unvalidatedValues"},
        ),
        Change(
            "the helloworld sample's image has a tag",
            # istio 1.22.8: samples/helloworld/helloworld.yaml
            {"helloworld_image": "{images}/examples-helloworld-{version}:1.0"},
        ),
        Change(
            "the profile `external` is gone",
            # istio 1.22.8: profiles, operator/pkg/manifest/shared.go
            {"profiles_of_remotes": ("remote",)},
        ),
    ),
    _minor("1.23", "1.27-1.30"),
    _minor(
        "1.24",
        "1.28-1.31",
        Change(
            "HTTPRoutes are of `gateway.networking.k8s.io/v1`",
            # istio 1.24.6: samples/helloworld/gateway-api
            {"http_route_api_version": "gateway.networking.k8s.io/v1"},
        ),
        Change(
            "networking documents use `networking.istio.io/v1`",
            {
                "routing_api_version": "networking.istio.io/v1",  # the guide from 1.24; served since 1.22
                "destination_rule_api_version": "networking.istio.io/v1",  # the guide from 1.24; served since 1.22
                # istio 1.24.6: samples/multicluster/expose-services.yaml
                "sample_api_version": "networking.istio.io/v1",
            },
        ),
        Change(
            "the external istiod sets `global.externalIstiod`",
            # istio 1.24.6: istio-discovery/templates/deployment.yaml
            {"external_istiod_value": True},
        ),
        Change(
            "the unused ServiceAccount `istiod-service-account` is gone",
            # the guide from 1.24
            {"legacy_service_account": False},
        ),
        Change(
            "istioctl merges IstioOperators as plain trees, where null and empty text are values, before that by types",
            # istio 1.24.6: operator/pkg/render/manifest.go
            {"merges_plain_trees": True, "keeps_nulls": True, "keeps_empty_text": True},
        ),
        Change(
            "istioctl sets `values.pilot.cni.enabled` by whether it installs the plugin, and `unvalidatedValues` win",
            # istio 1.24.6: operator/pkg/render/manifest.go, run with 1.31
            {"cni_value": ("unvalidatedValues", "pilot", "cni", "enabled")},
        ),
        Change(
            "`spec.meshConfig` beats `spec.values.meshConfig`, before that it was beaten",
            # istio 1.24.6: operator/pkg/render/manifest.go
            {"spec_mesh_config_wins": True},
        ),
        Change(
            "istioctl no longer refuses unknown keys of a mesh config, nor takes blanks out of ranges of addresses",
            # istio 1.24.6: operator/pkg/apis/validation/validation.go
            {"refuses_unknown_mesh_config": False, "trims_address_ranges": False},
        ),
        Change(
            "`values.pilot.env` and its like stay values, before that they became settings of the component",
            # istio 1.24.6: operator/pkg/render/manifest.go
            {"moves_pilot_values": False},
        ),
        Change(
            "components are on unless a document turns them off, before that off unless one turned them on",
            # istio 1.24.6: operator/pkg/component/component.go
            {"components_default_on": True, "values_turn_gateways_on": True},
        ),
        Change(
            "`metadata.namespace` places components, before that `spec.namespace`",
            # istio 1.24.6: operator/pkg/component/component.go
            {"components_default_to_metadata_namespace": True},
        ),
        Change(
            "`--set` flags no longer follow the rules of patches, and their paths must not begin with `spec.`",
            # istio 1.24.6: operator/pkg/values/map.go
            {"set_writes_as_patches": False, "set_may_begin_with_spec": False},
        ),
        Change(
            "an overlay patches every object that fits, after the overlays before it, and is ignored where none fits",
            {
                "overlays_accumulate": True,  # istio 1.24.6: operator/pkg/render/postprocess.go, for all of these
                "overlays_reach_all_namespaces": True,
                "overlays_patch_every_match": True,
                "ignores_unmatched_overlays": True,
                "trims_patch_paths": False,
            },
        ),
        Change(
            "the chart istiod-remote is gone: the profile `remote` installs the chart of istiod in remote clusters",
            # istio 1.24.6: profiles/remote.yaml, istio-discovery/files/profile-remote.yaml
            {"has_istiod_remote_chart": False},
        ),
        Change(
            "a pod may have or refuse a sidecar that is an init container, by an annotation",
            {  # istio 1.24.6: istio-discovery/files/injection-template.yaml
                "native_sidecar": (
                    'eq (index .ObjectMeta.Annotations "sidecar.istio.io/nativeSidecar" '
                    '| default (env "ENABLE_NATIVE_SIDECARS" "false")) "true"'
                )
            },
        ),
        Change(
            "the charts have settings for kinds of Kubernetes, by `global.platform`",
            # istio 1.24.6: manifests/helm-profiles
            {"platforms": ("k3d", "k3s", "microk8s", "minikube", "openshift")},
        ),
        Change(
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
            "the sample client is curl, before that sleep",
            # istio 1.24.6: samples/curl/curl.yaml
            {"client": "curl"},
        ),
        sail="1.0 and 1.25 to 1.27",
    ),
    _minor(
        "1.25",
        "1.29-1.32",
        Change(
            "the charts have settings for GKE, by `global.platform`",
            # istio 1.25.5: manifests/helm-profiles
            {"platforms": ("gke", "k3d", "k3s", "microk8s", "minikube", "openshift")},
        ),
        Change(
            "istiod takes the config cluster's meshNetworks before those of its own file, which it alone read before",
            # istio 1.25.5: pilot/pkg/bootstrap/mesh.go
            {"shared_networks_first": True},
        ),
        sail="1.25 to 1.27",
    ),
    _minor(
        "1.26",
        "1.29-1.33",
        Change(
            "remote secrets can carry `tls-server-name`",
            # istio 1.26.8: istioctl/pkg/multicluster/options.go, note 55692
            {"tls_server_name": True},
        ),
        Change(
            "the sample client's image has a registry and a tag",
            # istio 1.26.8: samples/curl/curl.yaml
            {"client_image": "docker.io/curlimages/curl:8.16.0"},
        ),
        sail="1.26 to 1.28",
    ),
    _minor(
        "1.27",
        "1.29-1.33",
        Change(
            "istiod decides for each pod whether its sidecar is an init container",
            {  # istio 1.27.9: istio-discovery/files/injection-template.yaml
                "native_sidecar": (
                    'ne (index .ObjectMeta.Annotations "sidecar.istio.io/nativeSidecar" '
                    '| default (printf "%t" .NativeSidecars)) "false"'
                )
            },
        ),
        Change(
            "istiod can distribute lists of revoked certificates, in a ConfigMap in every namespace",
            # istio 1.27.9: pilot/pkg/serviceregistry/kube/controller; read, not run
            {"config_maps_everywhere": ("istio-ca-root-cert", "istio-ca-crl")},
        ),
        sail="1.27 to 1.29",
    ),
    _minor(
        "1.28",
        "1.30-1.34",
        Change(
            "charts leave `failurePolicy: Ignore` out in an upgrade, unless `base.validationFailurePolicy` says it",
            # istio 1.28.10: validatingwebhookconfiguration.yaml of istio-discovery and base; 1.28.6, 1.29.2 and 1.30.0
            # brought it
            {"forgets_validation_policy": True},
        ),
        Change(
            "remote secrets have no `creationTimestamp` and no `preferences`",
            # istio 1.28.10: istioctl create-remote-secret
            {"secret_has_empty_fields": False},
        ),
        Change(
            "replicas and autoscaling of a component become values of its chart too",
            # istio 1.28.10: operator/pkg/render; read, not run
            {"copies_replicas": True},
        ),
        sail="1.28 to 1.30",
    ),
    _minor(
        "1.29",
        "1.31-1.35",
        Change(
            "replicas and autoscaling of a component no longer become values of its chart",
            # istio 1.29.6: operator/pkg/render; read, not run
            {"copies_replicas": False},
        ),
        Change(
            "istiod's mounts are values like all others again",
            # istio 1.29.6: operator/pkg/apis/values_types.proto
            {"mounting_values": "values"},
        ),
        sail="1.29 and 1.30",
    ),
    _minor(
        "1.30",
        "1.32-1.36",
        Change(
            "the address may be IPv6",
            # istio 1.30.3: istio-discovery/templates/remote-istiod-service.yaml
            {"ipv6": True},
        ),
        Change(
            "istiod reads TLSRoutes of the Gateway API, by CRDs of Gateway API 1.5 or later",
            # istio 1.30.3: pilot/pkg/config/kube/gateway/controller.go
            {"tls_route_api_version": "gateway.networking.k8s.io/v1"},
        ),
        Change(
            "images are named as docker.io/istio, since the registry that this release takes by itself ends in 2026",
            # istio 1.30.3: note use-registry-istio-io; istio.io: news/releases/1.31.x/announcing-1.31/upgrade-notes
            {"default_images_end": True},
        ),
        sail="1.30",
    ),
    _minor(
        "1.31",
        "1.32-1.36",
        Change(
            "images come from docker.io/istio by themselves again",
            # istio.io: news/releases/1.31.x/announcing-1.31/upgrade-notes
            {"default_images_end": False},
        ),
        Change(
            "replicas and autoscaling of a component become values of its chart again",
            # istio 1.31: operator/pkg/render, branch release-1.31; read, not run
            {"copies_replicas": True},
        ),
        Change(
            "a `--set` value may hold `=`",
            # istio 1.31: operator/pkg/values/map.go, branch release-1.31
            {"set_splits_once": True},
        ),
        sail="those after 1.30",
    ),
    _minor(
        "1.32",
        None,  # which Kubernetes minors it supports was not found
        # istio.io/api 1.32.0 for documents; charts, profiles, istioctl and istiod as in the main branch of August 2026,
        # two months before the release, where they do what those of 1.31 do; read
        Change(
            "what its charts, istioctl and istiod changed in the last two months before the release was not seen, nor "
            "the types of three new values for ambient",
            {},
        ),
    ),
)


def _all_releases() -> dict[str, Release]:
    """Return each release by its name: the one before it, with its own changes."""
    releases: dict[str, Release] = {}
    current = _FIRST
    for minor in _MINORS:
        changed: dict[str, Any] = {}
        for change in minor.changes:
            changed |= change.fields
        row = {"name": minor.name, "kubernetes": minor.kubernetes, "sail": minor.sail, "changes": minor.changes}
        current = current.with_(**row, **changed)
        releases[current.name] = current
    return releases


RELEASES = _all_releases()
