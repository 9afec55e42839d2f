"""How to reach the API servers of remote clusters; kept apart from the topology, since tokens are secrets."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StrictStr, ValidationError

from extcp_manifests.builders.address import why_not_api_server
from extcp_manifests.builders.secrets import why_no_tls_server_name
from extcp_manifests.documents.name_forms import DNS_SUBDOMAIN
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.releases import Release
from extcp_manifests.patterns import pattern
from extcp_manifests.topology.inputs import CONFIG, Part, Readable, from_file, matching, problems_of, read, refusal
from extcp_manifests.topology.names import why_not_certificates


def _why_not_server_name(text: str) -> str | None:
    if DNS_SUBDOMAIN.fullmatch(text):
        return None
    return "is not a valid host name: use a-z, 0-9, inner '-' and '.'"


def _check_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise refusal("is not a valid token: give its text, without blanks or line breaks")
    return token


# Any printable characters of ASCII but the blank.
_TOKEN = pattern(r"[!-~]+")


class ClusterCredentials(Part, hidden=("token",)):
    """How istiod reaches one cluster.

    The token is one of the ServiceAccount `istiod` (`istiod-REVISION`) in the config cluster, and of
    `istio-reader-service-account` in every other; both accounts are there once the cluster is set up.
    """

    server: Annotated[StrictStr, matching(why_not_api_server), Field(description="URL of the API server.")]
    ca: Annotated[
        StrictStr, matching(why_not_certificates), Field(description="The API server's CA certificates, in PEM form.")
    ]
    token: Annotated[SecretStr, AfterValidator(_check_token), Field(description="Token of a ServiceAccount there.")]
    tls_server_name: Annotated[
        Annotated[StrictStr, matching(_why_not_server_name)] | None,
        Field(description="Name in the API server's certificate, if not the server's own; from Istio 1.26."),
    ] = None


def load_credentials(source: Readable, *, name: str = "") -> dict[str, ClusterCredentials]:
    """Read the credentials of clusters, by the clusters' names, from a file, a YAML text or a mapping.

    The form is `{apiVersion: extcp-manifests/v1, kind: Credentials, clusters: {NAME: {server, ca, token}}}`; what is a
    text is decided as by `load`, and problems call it by `name`. Raises InvalidInput, without any value, with every
    problem; OSError for a file that cannot be read.
    """
    credentials, problems = _loaded(source, name)
    del source  # where it is a text, no traceback that shows variables may show it
    if problems:
        raise InvalidInput(problems)
    return credentials


def _loaded(source: Readable, name: str) -> tuple[dict[str, ClusterCredentials], list[Problem]]:
    """Return the credentials, or what is wrong; nothing is raised here, where variables hold tokens."""
    try:
        content = read(source, name=name)
    except InvalidInput as error:
        # The reader's own sentences may show a part of the text.
        hint = "look for a tag, an alias, a duplicate key, or a number without quotes"
        problem = f"is not YAML as it is read here: {hint}"
        return {}, [each.with_(place=(), message=problem) for each in error.problems]
    kind = content.data.get("kind") if isinstance(content.data, Mapping) else None
    if isinstance(kind, str) and kind in _OTHER_KINDS:
        return {}, content.located([Problem(("kind",), _OTHER_KINDS[kind])])
    file, problems = from_file(_File, content.data, secret=True)
    clusters = {} if file is None else dict(file.clusters)
    return clusters, content.located(problems)


_OTHER_KINDS: Mapping[str, str] = {
    "Config": (
        "is Config, so this is a kubeconfig: make a document of kind Credentials of its server, its "
        "certificate-authority-data (decoded, as ca) and the token of a ServiceAccount"
    ),
    "Secret": (
        "is Secret: make a document of kind Credentials of the server's URL and the Secret's ca.crt and token, decoded"
    ),
    "ExternalControlPlane": "is ExternalControlPlane, so this is a topology: give a document of kind Credentials",
}


def checked_credentials(
    credentials: Mapping[str, ClusterCredentials], *, api_servers: Mapping[str, str | None], release: Release
) -> tuple[dict[str, ClusterCredentials], list[Problem]]:
    """Return the credentials if they are right by themselves, and what is wrong with them or does not fit a topology.

    `api_servers` has the clusters of the topology, each with the address of its API server where the topology has one.
    Problems show no value; their paths begin with `credentials`.
    """
    problems: list[Problem] = []
    given: Mapping[str, ClusterCredentials] = {}
    try:
        given = _Python.model_validate({"credentials": credentials}).credentials
    except ValidationError as error:
        problems += problems_of(error, _Python, from_file=False, secret=True)
    if isinstance(credentials, Mapping):
        for name, each in credentials.items():
            problems += _misfits(str(name), each, api_servers, release)
    return dict(given), problems


def _misfits(
    name: str, credentials: ClusterCredentials, api_servers: Mapping[str, str | None], release: Release
) -> Iterator[Problem]:
    """Yield why the credentials of one cluster, which need not be right by themselves, do not fit a topology."""
    if name not in api_servers:
        problem = "no remote cluster of the topology has this name: correct it or leave it out"
        yield Problem(("credentials", name), problem)
    if getattr(credentials, "tls_server_name", None) is not None:
        unsupported = why_no_tls_server_name(release)
        if unsupported is not None:
            yield Problem(("credentials", name, "tls_server_name"), unsupported)
    wanted = api_servers.get(name)
    if wanted is not None and getattr(credentials, "server", wanted) != wanted:
        problem = f"is not the apiServer that the topology gives to the cluster, {wanted}: give both the same"
        yield Problem(("credentials", name, "server"), problem)


class _File(BaseModel):
    model_config = CONFIG

    api_version: Literal["extcp-manifests/v1"]
    kind: Literal["Credentials"]
    clusters: Mapping[str, ClusterCredentials]


class _Python(BaseModel):
    model_config = CONFIG

    credentials: Mapping[str, ClusterCredentials]
