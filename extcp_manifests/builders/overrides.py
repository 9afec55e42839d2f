"""Documents with settings and overrides laid over them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar

from extcp_manifests.builders.builder import Builder
from extcp_manifests.documents.istio_operator import GatewayChartValues, IstioOperator
from extcp_manifests.documents.model import Model
from extcp_manifests.documents.sail import Istio
from extcp_manifests.errors import InvalidInput, Path, Problem
from extcp_manifests.istio.operator.overrides import OverrideResult, overridden
from extcp_manifests.istio.operator.reserved import (
    reserved_in_gateway_values,
    reserved_in_istio_resource,
    reserved_in_operator,
    reserved_in_values,
)

Document = TypeVar("Document", bound=Model)


class WithOverrides(Builder[Document], Generic[Document]):
    """A document of another builder, with settings laid over it, and then overrides.

    Both are pieces of the spec of an IstioOperator or an Istio resource, or of the values of a chart. `build()` raises
    InvalidInput for what would undo the installation.
    """

    builder: Builder[Document]
    settings: Mapping[str, Any] = {}
    overrides: Mapping[str, Any] = {}

    def _document(self) -> Document:
        document = self.builder.build()
        with_settings, result = self.with_settings(), self.overridden()
        problems = [problem.under("settings") for problem in with_settings.problems]
        problems += [problem.under("overrides") for problem in result.problems]
        if problems:
            raise InvalidInput(problems)
        piece = result.plain
        whole = {**document.plain(), "spec": piece} if isinstance(document, _WITH_SPEC) else piece
        return type(document).from_plain(whole)

    def with_settings(self) -> OverrideResult:
        """Return the spec or the values with the settings alone."""
        return overridden(_piece_of(self.builder.build()), self.settings)

    def overridden(self) -> OverrideResult:
        """Return the spec or the values with settings and overrides."""
        document = self.builder.build()
        result = overridden(self.with_settings().plain, self.overrides, open_places=_OPEN)
        decided = _reserved_in(document)(_piece_of(document), self.overrides)
        return result.with_(problems=(*result.problems, *decided))


_WITH_SPEC = (IstioOperator, Istio)
"""The documents of which the spec is what people say; of others it is the whole document."""


_OPEN: Collection[Path] = frozenset({("hub",), ("tag",), ("service", "type")})
"""What overrides may replace: where images come from, and the type of a gateway's Service."""


def _reserved_in(document: Model) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Problem]]:
    """Return what looks for that which no override of a document may decide."""
    if isinstance(document, IstioOperator):
        return reserved_in_operator
    if isinstance(document, Istio):
        return reserved_in_istio_resource
    if isinstance(document, GatewayChartValues):
        return reserved_in_gateway_values
    return reserved_in_values


def _piece_of(document: Model) -> dict[str, Any]:
    """Return the part of a document over which pieces are laid, as plain data."""
    plain = document.plain()
    if isinstance(document, _WITH_SPEC):
        spec: dict[str, Any] = plain["spec"]
        return spec
    return plain
