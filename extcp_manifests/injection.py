"""The path that says which cluster and network a pod to inject is in: `/inject/cluster/C/net/N`.

kube-apiserver calls istiod at this path for each pod that is made, and istiod takes from it what the proxy of that pod
needs. istiod answers any path and never complains, so a name that it reads as another one gives pods that belong to the
wrong cluster. `encode` and `decode` are twins for that reason: what encode returns, decode (and istiod) reads back
unchanged, and names for which that cannot be are refused.

Source: istio 1.15.7 and 1.30.3: pkg/kube/inject/webhook.go, parseInjectEnvs.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from posixpath import normpath
from urllib.parse import quote, unquote

from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN, UNPRINTABLE
from extcp_manifests.errors import InvalidInput, Problem, require

SLASH = "--slash--"
"""What istiod reads as a `/` inside a name."""

CLUSTER_ID = "ISTIO_META_CLUSTER_ID"
NETWORK = "ISTIO_META_NETWORK"

_VARIABLES = {"cluster": CLUSTER_ID, "net": NETWORK}
"""The keys of the path that istiod knows, and the proxy's environment variables that it makes of them."""


# ------------------------------------------------------------------------------------------------------------- writing


def encode(*, cluster: str, network: str) -> str:
    """Return the request path for pods of a cluster and network; `/` inside a name becomes `--slash--`.

    Raises InvalidInput with path `cluster` or `network` for a name that istiod would read as another one.
    """
    _require_names(why_not_encodable, cluster, network)
    return f"/inject/cluster/{_encoded(cluster)}/net/{_encoded(network)}"


def url(authority: str, *, cluster: str, network: str) -> str:
    """Return the `injectionURL`: https, with every character escaped that a URL or the charts would misread.

    Raises InvalidInput as `encode` does.
    """
    require(authority, str, ("authority",), "text")
    path = encode(cluster=cluster, network=network)
    # Left as they are: what RFC 3986 allows in a path segment; the charts put the URL between double quotes
    # (istio 1.30.3: istio-discovery/templates/mutatingwebhook.yaml).
    return f"https://{authority}" + quote(path, safe="/:@!$&'()*+,;=~")


def service_path(*, cluster: str, network: str) -> str:
    """Return the `injectionPath`, in which Kubernetes allows no escapes and few characters.

    Raises InvalidInput as `encode` does, and for names that `why_no_service_path` refuses.
    """
    path = encode(cluster=cluster, network=network)
    _require_names(why_no_service_path, cluster, network)
    return path


def why_not_encodable(name: str) -> str | None:
    """Return why the injection path cannot carry a cluster or network name, or None."""
    if name in ("", ".", ".."):
        return f"{name!r} vanishes from the injection path: choose a name with other characters than dots"
    if not name.isprintable() and UNPRINTABLE.search(name):
        return f"{name!r} has a control character: leave it out"
    read_back = _encoded(name).replace(SLASH, "/")
    if read_back != name:
        return f"istiod would read {name!r} as {read_back!r}: choose a name without {SLASH!r}"
    return None


def why_no_service_path(name: str) -> str | None:
    """Return why an encodable name cannot be part of an `injectionPath`, or None.

    Kubernetes requires every segment of a webhook's service path to be a DNS-1123 subdomain.
    Source: kubernetes apiserver: pkg/util/webhook/validation.go.
    """
    if DNS_SUBDOMAIN.fullmatch(_encoded(name)):
        return None
    return (
        f"{name!r} cannot stand in a webhook's service path, which an IP address needs: use a-z, 0-9, '-' and '.', "
        "or expose istiod by a host name"
    )


def _require_names(why_not: Callable[[str], str | None], cluster: str, network: str) -> None:
    """Raise InvalidInput with everything that is wrong with the two names."""
    names = {"cluster": cluster, "network": network}
    for argument, name in names.items():
        require(name, str, (argument,), "text")
    problems = []
    for argument, name in names.items():
        problem = why_not(name)
        if problem:
            problems.append(Problem((argument,), problem))
    if problems:
        raise InvalidInput(problems)


def _encoded(name: str) -> str:
    return name.replace("/", SLASH)


# ------------------------------------------------------------------------------------------------------------- reading


def decode(path: str) -> dict[str, str]:
    """Return the environment variables that istiod derives from a request path, percent-escapes already undone.

    Odd counts, custom keys and the deprecated `:ENV:` form are read as istiod reads them, which never fails.
    """
    require(path, str, ("path",), "text")
    return _variables_of(_pairs_of(path))


def decode_url(text: str) -> dict[str, str]:
    """Return the environment variables that istiod derives once kube-apiserver has called an `injectionURL`.

    kube-apiserver unescapes the path once and removes empty, `.` and `..` segments.
    Source: kubernetes apiserver: pkg/util/webhook/client.go; client-go: rest/url_utils.go.
    """
    require(text, str, ("url",), "text")
    return decode(_path_of(text))


def is_url(text: str) -> bool:
    """Return whether a text is a URL rather than the path of a request."""
    return re.match("[a-z]+://", text) is not None


def _path_of(text: str) -> str:
    """Return the path of a request, which for a URL is what kube-apiserver makes of it."""
    if not is_url(text):
        return text
    path = re.sub(r"^[a-z]+://[^/?#]*", "", text)
    path = re.split("[?#]", path)[0]
    return normpath("/" + unquote(path).lstrip("/"))


def _pairs_of(path: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a request path, which follow its first segment, `/inject`."""
    segments = path.removesuffix("/").split("/", 2)
    if len(segments) < 3:
        return
    rest = segments[2]
    if rest.startswith(":ENV:"):  # deprecated: `:ENV:cluster=C:ENV:net=N`, in which a slash needs no spelling out
        for assignment in rest.split(":ENV:")[1:]:
            key, equals, value = assignment.partition("=")
            if equals:
                yield key, value
        return
    words = rest.split("/")
    for key, value in zip(words[::2], words[1::2], strict=False):  # a key without a value is ignored
        yield key, value.replace(SLASH, "/")


def _variables_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the variables that istiod makes of keys and values; of a key that repeats, the last value wins."""
    variables: dict[str, str] = {}
    for key, value in pairs:
        if key:
            variables[_VARIABLES.get(key) or go_upper(key)] = value
    return variables


# -------------------------------------------------------------------------------------------------------------- doubts


def doubts(path: str) -> list[Problem]:
    """Return what is strange about an injection path, or about an injectionURL that begins with a scheme.

    From a path without both cluster and network istiod derives too little: pods then get istiod's own defaults. Other
    keys become variables of the proxy, which is rarely meant.
    """
    pairs = list(_pairs_of(_path_of(path)))
    variables = _variables_of(pairs)
    keys = [key for key, _ in pairs if key]
    explained = set(_VARIABLES)
    problems: list[Problem] = []
    for key, variable in _VARIABLES.items():
        meaning = _MEANINGS[key]
        if variable not in variables:
            misspelt = _misspelling(key, keys)
            if misspelt:
                explained.add(misspelt)
            hint = f"write {key}/NAME instead of {misspelt}/" if misspelt else f"write it as in {_EXAMPLE}"
            problems.append(Problem((), f"tells no {meaning}, which istiod then does not know: {hint}"))
        elif not variables[variable]:
            problems.append(Problem((), f"tells an empty {meaning}: write it as in {_EXAMPLE}"))
    for key in keys:
        if key not in explained:
            variable = go_upper(key)
            problem = f"has the key {key!r}, which istiod makes the variable {variable!r}: leave it out if not meant"
            problems.append(Problem((), problem))
    return problems


_EXAMPLE = "/inject/cluster/NAME/net/NAME"

_MEANINGS = {"cluster": "cluster", "net": "network"}


def _misspelling(key: str, keys: Sequence[str]) -> str | None:
    """Return the first key of a path that was probably meant to be this one."""
    for given in keys:
        if given.lower() in _MISSPELT[key]:
            return given
    return None


_MISSPELT = {
    "cluster": ("cluster", "clusters", "clustername", "cluster-name", "clusterid", "cluster_id"),
    "net": ("net", "nets", "network", "networks", "networkname", "network-name"),
}


# ---------------------------------------------------------------------------------------------------------- upper case


def go_upper(text: str) -> str:
    """Return the text in upper case as Go's strings.ToUpper has it: each character becomes one other at most.

    Python also has characters that become several, as the German sharp s does. Source: go 1.26: src/unicode/tables.go,
    run; it has Unicode 15.0, as Go has from 1.21.
    """
    return "".join(map(_go_upper_character, text))


def _go_upper_character(character: str) -> str:
    if character in _WITH_IOTA:
        return chr(ord(character) + _WITH_IOTA[character])
    upper = character.upper()
    if len(upper) > 1 or character in _LATER:
        return character
    return upper


# Greek letters with an iota below: one capital letter in Go, two in Python. The number leads to the capital.
_WITH_IOTA = {
    **{chr(first + step): 8 for first in (0x1F80, 0x1F90, 0x1FA0) for step in range(8)},
    **dict.fromkeys("\u1fb3\u1fc3\u1ff3", 9),
}

# Letters whose capitals came with Unicode 16 and 17, which newer Pythons know.
_LATER = frozenset(
    "\u019b\u0264\u1c8a\ua7cd\ua7cf\ua7d3\ua7d5\ua7db"
    + "".join(map(chr, range(0x10D70, 0x10D86)))
    + "".join(map(chr, range(0x16EBB, 0x16ED4)))
)
