"""What istioctl makes of our IstioOperators, by release, as far as it must be deleted by name.

CRDs are not among it: they stay. Source: istio 1.15.7 to 1.30.3 and the branch release-1.31, rendered: from 1.24 with
istioctl 1.31 and the charts of each release, 1.20 with its own istioctl, all others with Helm; the default tag: istio
1.15.7 and 1.30.3: istioctl/pkg/tag/generate.go, read.
"""

from collections.abc import Iterator
from functools import lru_cache

from extcp_manifests.istio.object_names import Names
from extcp_manifests.istio.releases import EVERY_RELEASE, Release, ReleaseRange, since, until
from extcp_manifests.planning.step import Part
from extcp_manifests.records import Record


class _Made(Record):
    """An object as kubectl names it, the parts of an installation that make it, and the releases in which they do."""

    name: str
    parts: tuple[Part, ...]
    releases: ReleaseRange = EVERY_RELEASE


_REMOTES: tuple[Part, ...] = ("config cluster", "remote cluster")


_SHARED: tuple[Part, ...] = ("shared gateway",)


_WITH_ISTIOD: tuple[Part, ...] = ("config cluster", "shared gateway")


_ALL: tuple[Part, ...] = ("config cluster", "remote cluster", "shared gateway")


# Webhooks first, so that no request waits for them while the rest is deleted.
_MADE = (
    _Made("mutatingwebhookconfiguration/{injector}", _ALL),
    _Made("validatingwebhookconfiguration/{validator}", _WITH_ISTIOD),
    _Made("validatingwebhookconfiguration/istiod-default-validator", _WITH_ISTIOD),
    _Made("mutatingwebhookconfiguration/{default_tag}", _SHARED),
    _Made("service/istiod-revision-tag-default", _SHARED, releases=since("1.28")),
    _Made("deployment/{gateway}", _SHARED),
    _Made("service/{gateway}", _SHARED),
    _Made("horizontalpodautoscaler/{gateway}", _SHARED),
    _Made("poddisruptionbudget/{gateway}", _SHARED, releases=until("1.27")),
    _Made("rolebinding/{gateway}-sds", _SHARED),
    _Made("role/{gateway}-sds", _SHARED),
    _Made("serviceaccount/{gateway}-service-account", _SHARED),
    _Made("deployment/{istiod}", _SHARED),
    _Made("horizontalpodautoscaler/{istiod}", _SHARED),
    _Made("poddisruptionbudget/{istiod}", _SHARED, releases=until("1.27")),
    _Made("service/{istiod}", _ALL),
    _Made("endpoints/{istiod}", _REMOTES, releases=until("1.27")),
    _Made("endpointslice/{istiod}", _REMOTES, releases=since("1.28")),
    _Made("configmap/{mesh}", _WITH_ISTIOD),
    _Made("configmap/{injection}", _SHARED),
    _Made("configmap/values{revision}", _ALL, releases=since("1.26")),
    *(
        _Made(f"envoyfilter/{kind}-{version}", _SHARED, releases=since(first, until="1.17"))
        for version, first in (("1.13", "1.15"), ("1.14", "1.15"), ("1.15", "1.15"), ("1.16", "1.16"), ("1.17", "1.17"))
        for kind in ("stats-filter", "tcp-stats-filter")
    ),
    _Made("rolebinding/{istiod}", _WITH_ISTIOD),
    _Made("role/{istiod}", _WITH_ISTIOD),
    _Made("serviceaccount/{istiod}", _WITH_ISTIOD),
    _Made("serviceaccount/istio-reader-service-account", _ALL),
    *(
        _Made(f"{kind}/{name}{{revision}}-{{namespace}}", parts)
        for name, parts in (
            ("istio-reader-clusterrole", _ALL),
            ("istiod-clusterrole", _WITH_ISTIOD),
            ("istiod-gateway-controller", _WITH_ISTIOD),
        )
        for kind in ("clusterrolebinding", "clusterrole")
    ),
    *(
        _Made(f"{kind}/{name}-{{namespace}}", _SHARED, releases=until("1.18"))
        for name in ("istio-reader", "istiod")
        for kind in ("clusterrolebinding", "clusterrole")
    ),
    _Made("rolebinding/istiod-{namespace}", _SHARED, releases=until("1.18")),
    _Made("role/istiod-{namespace}", _SHARED, releases=until("1.18")),
    _Made("serviceaccount/istiod-service-account", _SHARED, releases=until("1.18")),
)


# What `istioctl uninstall -f` of the shared gateway leaves, since it skips the charts' base, and what the default
# tag adds (istio 1.21.6 and 1.30.3: operator/pkg/helmreconciler/prune.go, operator/pkg/uninstall/prune.go).
_LEFT = (
    "validatingwebhookconfiguration/istiod-default-validator",
    "mutatingwebhookconfiguration/{default_tag}",
    "service/istiod-revision-tag-default",
    "serviceaccount/istio-reader-service-account",
)


@lru_cache(maxsize=64)  # it is the same for all clusters
def made_by(part: Part, release: Release, names: Names, *, gateway: str = "") -> tuple[str, ...]:
    """Return what istioctl makes for a part of the installation, as kubectl names it: `clusterrole/NAME`.

    Objects that exist only for some kinds of addresses are included; kubectl ignores those that it does not find.
    """
    rows = [made for made in _MADE if part in made.parts and release in made.releases]
    return tuple(_named(made.name, names, gateway) for made in rows)


def left_by_uninstall(release: Release, names: Names) -> Iterator[str]:
    """Yield what `istioctl uninstall -f` of the shared gateway does not remove."""
    made = set(made_by("shared gateway", release, names))
    for template in _LEFT:
        name = _named(template, names, "")
        if name in made:
            yield name


def _named(template: str, names: Names, gateway: str) -> str:
    return template.format(
        namespace=names.namespace,
        revision=f"-{names.revision}" if names.revision else "",
        istiod=names.istiod,
        injector=names.injector_webhook,
        validator=names.validator_webhook,
        default_tag=names.default_tag,
        mesh=names.mesh_config_map,
        injection=names.injector_config_map,
        gateway=gateway,
    )
