"""Pictures as SVG: no script, no font of its own, the same bytes on every machine, legible in light, dark and print."""

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from extcp_manifests.documents.name_forms import why_not_printable
from extcp_manifests.pictures.scene import CROSS_NETWORK_PORT, Card, Lines, Network, Scene, by_external_cluster, count
from extcp_manifests.records import Record
from extcp_manifests.topology.fleet import Fleet
from extcp_manifests.topology.model import Topology

_MOST_CLUSTERS = 60
_MOST_NETWORKS = 40


def svg(topology: Topology) -> str:
    """Return a picture of a topology, with the first clusters and networks where there are very many."""
    scene = Scene.of(topology, most_clusters=_MOST_CLUSTERS, most_networks=_MOST_NETWORKS)
    return "".join(f"{line}\n" for line in _drawing(scene))


def fleet_svg(fleet: Fleet) -> str:
    """Return a picture of a fleet: the external clusters, and the control planes in each as a grid of cards."""
    return "".join(f"{line}\n" for line in _fleet_drawing(fleet))


# ----------------------------------------------------------------------------------------------------------- one plane

_WIDTH = 1200
_MARGIN = 40
_INNER = _WIDTH - 2 * _MARGIN

_EXTERNAL_TOP = 84
_EXTERNAL_HEIGHT = 156
_BOX_TOP = _EXTERNAL_TOP + 42
_BOX_WIDTH, _BOX_HEIGHT = 400, 94
_LEFT_BOX, _RIGHT_BOX = _MARGIN + 24, _WIDTH - _MARGIN - 24 - _BOX_WIDTH
_MESH_TOP = _EXTERNAL_TOP + _EXTERNAL_HEIGHT + 122

_CARD_WIDTH, _CARD_HEIGHT, _GAP = 200, 34, 12
_FRAME_HEAD = 34
_ROOM_FOR_LINKS = 30
"""What a row of networks has above it for the line by which they are connected."""


def _drawing(scene: Scene) -> Iterator[str]:
    rows = list(_rows(scene.networks))
    links = _ROOM_FOR_LINKS if scene.connects_networks else 0
    heights = [max(frame.height for frame in row) + _GAP + links for row in rows]
    more = 26 if scene.more_networks else 0
    mesh_height = 44 + sum(heights) + _GAP + more
    yield from _head(_MESH_TOP + mesh_height + _MARGIN, f"External control plane {scene.name}")
    yield _line_of_text(_MARGIN, 40, "title", scene.name, 60)
    yield _line_of_text(_MARGIN, 64, "about", f"Istio {scene.release}, external control plane at {scene.address}", 150)
    yield _rectangle(_MARGIN, _EXTERNAL_TOP, _INNER, _EXTERNAL_HEIGHT, "cluster")
    yield _line_of_text(_MARGIN + 16, _EXTERNAL_TOP + 26, "name", f"external cluster {scene.external}", 120)
    yield from _control_plane(scene)
    yield _rectangle(_MARGIN, _MESH_TOP, _INNER, mesh_height, "mesh")
    yield _line_of_text(_MARGIN + 16, _MESH_TOP + 26, "name", "remote clusters", 40)
    yield from _flows(scene)
    top = _MESH_TOP + 44 + links
    tops: list[int] = []
    for row, height in zip(rows, heights, strict=True):
        tops.append(top)
        for frame in row:
            yield from _frame(frame, top)
        top += height
    if scene.connects_networks:
        yield from _links(rows, tops)
    if scene.more_networks:
        yield _line_of_text(_MARGIN + 24, top - links + 14, "about", f"and {scene.more_networks} more networks", 60)
    yield "</svg>"


def _control_plane(scene: Scene) -> Iterator[str]:
    """Draw the gateway, istiod, and what leads from the one to the other; without a gateway, istiod alone."""
    if scene.gateway is None:
        yield from _box(_LEFT_BOX, _RIGHT_BOX + _BOX_WIDTH - _LEFT_BOX, scene.istiod, "istiod")
        return
    yield from _box(_LEFT_BOX, _BOX_WIDTH, scene.gateway, "gateway")
    middle = _BOX_TOP + _BOX_HEIGHT // 2
    yield _arrow(_LEFT_BOX + _BOX_WIDTH, middle, _RIGHT_BOX - 4, middle, "plain")
    above, below = scene.inward
    yield _line_of_text(_WIDTH // 2, middle - 10, "flow plain middle", above, 36)
    yield _line_of_text(_WIDTH // 2, middle + 20, "flow plain middle", below, 36)
    yield from _box(_RIGHT_BOX, _BOX_WIDTH, scene.istiod, "istiod")


def _box(left: int, width: int, lines: Sequence[str], kind: str) -> Iterator[str]:
    yield _rectangle(left, _BOX_TOP, width, _BOX_HEIGHT, kind)
    first, *others = lines
    yield _line_of_text(left + 16, _BOX_TOP + 26, "name", first, 46)
    for number, line in enumerate(others):
        yield _line_of_text(left + 16, _BOX_TOP + 46 + 18 * number, "about", line, 56)


def _flows(scene: Scene) -> Iterator[str]:
    """Draw what crosses the border between the external cluster and the others."""
    bottom = _BOX_TOP + _BOX_HEIGHT
    for number, (words, kind) in enumerate(zip(scene.to_istiod, ("xds", "webhooks"), strict=True)):
        left = _LEFT_BOX + 20 + _FLOW_WIDTH * number
        yield _arrow(left, _MESH_TOP, left, bottom + 4, kind)
        yield from _words(left + 8, words, kind)
    for number, (words, kind) in enumerate(_asked_of_api_servers(scene)):
        left = _RIGHT_BOX + 20 + _FLOW_WIDTH * number
        yield _arrow(left, bottom, left, _MESH_TOP - 4, kind)
        yield from _words(left + 8, words, kind)


def _asked_of_api_servers(scene: Scene) -> Iterator[tuple[Lines, str]]:
    of_all, of_config = scene.to_api_servers
    if of_all:
        yield of_all, "api"
    yield of_config, "config"


_FLOW_WIDTH = 210


def _words(left: int, words: Lines, kind: str) -> Iterator[str]:
    top = _EXTERNAL_TOP + _EXTERNAL_HEIGHT + 36
    for number, line in enumerate(words):
        yield _line_of_text(left, top + 18 * number, f"flow {kind}", line, 29)


_MOST_COLUMNS = 5


class _Frame(Record):
    """A network with its place in a row."""

    network: Network
    left: int
    columns: int

    @property
    def width(self) -> int:
        return self.columns * (_CARD_WIDTH + _GAP) + _GAP

    @property
    def card_height(self) -> int:
        """The height of every card, by what the fullest one says."""
        return _CARD_HEIGHT + 17 * max(len(_about(card)) for card in self.network.cards)

    @property
    def height(self) -> int:
        lines = -(-len(self.network.cards) // self.columns)
        return _FRAME_HEAD + lines * (self.card_height + _GAP) + (20 if self.network.more else 0)


def _rows(networks: Iterable[Network]) -> Iterator[list[_Frame]]:
    """Yield networks side by side, as many as a row has room for."""
    row: list[_Frame] = []
    left = _MARGIN + 24
    for network in networks:
        number = len(network.cards)
        columns = min(_MOST_COLUMNS, number)
        frame = _Frame(network, left, columns)
        if row and left + frame.width > _WIDTH - _MARGIN - _GAP:
            yield row
            row, left = [], _MARGIN + 24
            frame = frame.with_(left=left)
        row.append(frame)
        left += frame.width + 16
    yield row


def _frame(frame: _Frame, top: int) -> Iterator[str]:
    network = frame.network
    yield _rectangle(frame.left, top, frame.width, frame.height, "network")
    most = frame.columns * 26
    yield _line_of_text(frame.left + _GAP, top + 22, "about", f"network {network.name}", most)
    for number, card in enumerate(network.cards):
        line, column = divmod(number, frame.columns)
        left = frame.left + _GAP + column * (_CARD_WIDTH + _GAP)
        height = frame.card_height
        yield from _card(card, left, top + _FRAME_HEAD + line * (height + _GAP), height)
    if network.more:
        text = f"and {network.more} more clusters"
        yield _line_of_text(frame.left + _GAP, top + frame.height - 8, "about", text, most)


def _card(card: Card, left: int, top: int, height: int) -> Iterator[str]:
    yield _rectangle(left, top, _CARD_WIDTH, height, "card config" if card.is_config_cluster else "card")
    yield _line_of_text(left + 12, top + 22, "name", card.name, 19)
    for number, (kind, text) in enumerate(_about(card)):
        yield _line_of_text(left + 12, top + 40 + 17 * number, kind, text, 28)


def _about(card: Card) -> list[tuple[str, str]]:
    """Return the lines of a card below its name, each with its kind."""
    lines = [("flow config", "config cluster")] if card.is_config_cluster else []
    if len(card.gateways) == 1:
        lines.append(("about", f"{card.gateways[0]} gateway"))
    elif card.gateways:
        lines.append(("about", ", ".join(card.gateways)))
    return lines


def _links(rows: Sequence[Sequence[_Frame]], tops: Sequence[int]) -> Iterator[str]:
    """Draw the line by which networks reach each other's services."""
    left = _MARGIN + 10
    text = f"requests between networks: by east-west gateways, {CROSS_NETWORK_PORT}"
    yield _line_of_text(left + 14, tops[0] - 22, "flow cross", text, 70)
    for row, top in zip(rows, tops, strict=True):
        reached = [frame for frame in row if frame.network.is_reached]
        if not reached:
            continue
        height = top - 14
        start = left if len(rows) > 1 else reached[0].left + 20
        yield _line(start, height, reached[-1].left + 20, height, "cross")
        for frame in reached:
            yield _arrow(frame.left + 20, height, frame.left + 20, top - 2, "cross")
    if len(rows) > 1:
        yield _line(left, tops[0] - 14, left, tops[-1] - 14, "cross")


# --------------------------------------------------------------------------------------------------------------- fleet

_PLANE_WIDTH, _PLANE_HEIGHT = 264, 110
_PLANES_IN_A_ROW = 4


def _fleet_drawing(fleet: Fleet) -> Iterator[str]:
    clusters = by_external_cluster(fleet)
    heights = [44 + -(-len(each) // _PLANES_IN_A_ROW) * (_PLANE_HEIGHT + _GAP) for each in clusters.values()]
    yield from _head(84 + sum(heights) + 24 * len(heights) + 16, f"External control planes {fleet.name}")
    yield _line_of_text(_MARGIN, 40, "title", fleet.name, 60)
    about = f"{count(fleet.control_planes, 'control plane')} in {count(clusters, 'external cluster')}"
    yield _line_of_text(_MARGIN, 64, "about", about, 100)
    top = 84
    for (name, topologies), height in zip(clusters.items(), heights, strict=True):
        yield _rectangle(_MARGIN, top, _INNER, height, "cluster")
        gateways = dict.fromkeys(_gateway_of(topology) for topology in topologies)
        yield _line_of_text(_MARGIN + 16, top + 26, "name", f"external cluster {name}: {', '.join(gateways)}", 110)
        for number, topology in enumerate(topologies):
            line, column = divmod(number, _PLANES_IN_A_ROW)
            left = _MARGIN + 16 + column * (_PLANE_WIDTH + 10)
            yield from _plane(topology, left, top + 40 + line * (_PLANE_HEIGHT + _GAP))
        top += height + 24
    yield "</svg>"


def _gateway_of(topology: Topology) -> str:
    if topology.istiod.service is not None:
        return "Services of istiod"
    return f"gateway {topology.gateway.name} in {topology.gateway.namespace}"


def _plane(topology: Topology, left: int, top: int) -> Iterator[str]:
    clusters = topology.mesh_clusters
    networks = {cluster.network for cluster in clusters}
    yield _rectangle(left, top, _PLANE_WIDTH, _PLANE_HEIGHT, "istiod")
    yield _line_of_text(left + 12, top + 22, "name", str(topology.name), 26)
    yield _line_of_text(left + 12, top + 42, "about", f"Istio {topology.release} in {topology.namespace}", 33)
    yield _line_of_text(left + 12, top + 60, "flow xds", topology.address, 33)
    yield _line_of_text(left + 12, top + 78, "flow config", f"config cluster {topology.config_cluster.name}", 33)
    words = f"{count(clusters, 'cluster')} in {count(networks, 'network')}"
    yield _line_of_text(left + 12, top + 96, "about", words, 33)


# --------------------------------------------------------------------------------------------------------------- shapes


def _head(height: int, title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label={quoteattr(_shown(title))}>'
    )
    yield f"<title>{escape(_shown(title))}</title>"
    yield f"<style>{_STYLE}</style>"
    yield "<defs>"
    for kind in ("plain", "xds", "webhooks", "api", "config", "cross"):
        yield (
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path class="head {kind}" d="M0 0L8 4L0 8z"/></marker>'
        )
    yield "</defs>"
    yield f'<rect class="page" width="{_WIDTH}" height="{height}"/>'


def _rectangle(left: int, top: int, width: int, height: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'


def _line(x1: int, y1: int, x2: int, y2: int, kind: str) -> str:
    return f'<line class="line {kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _arrow(x1: int, y1: int, x2: int, y2: int, kind: str) -> str:
    return f'<line class="line {kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#{kind})"/>'


def _line_of_text(left: int, base: int, kind: str, text: str, most: int) -> str:
    """Return a text, shortened to so many characters; the whole is shown where a mouse rests on it."""
    shown = _shown(text)
    if len(shown) <= most:
        return f'<text class="{kind}" x="{left}" y="{base}">{escape(shown)}</text>'
    end = (most - 1) // 2  # the middle is left out, since names of one kind differ at their ends
    short = f"{shown[: most - 1 - end]}\N{HORIZONTAL ELLIPSIS}{shown[-end:]}"
    return f'<text class="{kind}" x="{left}" y="{base}">{escape(short)}<title>{escape(shown)}</title></text>'


def _shown(text: str) -> str:
    """Return a text without signs that XML cannot hold or nobody can see."""
    if why_not_printable(text) is None:
        return text
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


_LIGHT = {
    ".page": "fill:#ffffff",
    "text": "fill:#1f2430",
    ".about": "fill:#555f73",
    ".cluster": "fill:#eef3fb;stroke:#9db4d8",
    ".mesh": "fill:#f7f8fa;stroke:#c4cad6",
    ".network": "fill:#ffffff;stroke:#c4cad6;stroke-dasharray:5 4",
    ".card,.gateway,.istiod": "fill:#ffffff;stroke:#8391ab",
    ".card.config": "fill:#fdf4ec;stroke:#b5541c;stroke-width:2",
    ".line.plain": "stroke:#4a5468",
    ".line.xds": "stroke:#1a5fb4",
    ".line.webhooks": "stroke:#7d3cb5",
    ".line.api": "stroke:#1d7a46",
    ".line.config": "stroke:#b5541c",
    ".line.cross": "stroke:#0b7285",
    ".flow.plain,.head.plain": "fill:#4a5468",
    ".flow.xds,.head.xds": "fill:#1a5fb4",
    ".flow.webhooks,.head.webhooks": "fill:#7d3cb5",
    ".flow.api,.head.api": "fill:#1d7a46",
    ".flow.config,.head.config": "fill:#b5541c",
    ".flow.cross,.head.cross": "fill:#0b7285",
}
_DARK = {
    ".page": "fill:#14181f",
    "text": "fill:#e6e9ef",
    ".about": "fill:#a4adbd",
    ".cluster": "fill:#1b2534;stroke:#41587c",
    ".mesh": "fill:#1a1f27;stroke:#3a4352",
    ".network": "fill:#14181f;stroke:#4a5568",
    ".card,.gateway,.istiod": "fill:#222936;stroke:#66738c",
    ".card.config": "fill:#33261b;stroke:#e8935a",
    ".line.plain": "stroke:#a4adbd",
    ".line.xds": "stroke:#6cb0ff",
    ".line.webhooks": "stroke:#c79bf0",
    ".line.api": "stroke:#63cf93",
    ".line.config": "stroke:#e8935a",
    ".line.cross": "stroke:#58c7d8",
    ".flow.plain,.head.plain": "fill:#a4adbd",
    ".flow.xds,.head.xds": "fill:#6cb0ff",
    ".flow.webhooks,.head.webhooks": "fill:#c79bf0",
    ".flow.api,.head.api": "fill:#63cf93",
    ".flow.config,.head.config": "fill:#e8935a",
    ".flow.cross,.head.cross": "fill:#58c7d8",
}


def _rules(style: dict[str, str]) -> str:
    return "".join(f"{selector}{{{declarations}}}" for selector, declarations in style.items())


_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
    ".title{font-size:22px;font-weight:600}.name{font-size:14px;font-weight:600}"
    ".about,.flow{font-size:12px}.middle{text-anchor:middle}"
    ".line{stroke-width:2;fill:none}.line.api,.line.cross{stroke-dasharray:6 4}"
    f"{_rules(_LIGHT)}@media screen and (prefers-color-scheme:dark){{{_rules(_DARK)}}}"
)
