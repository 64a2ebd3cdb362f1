"""Which part of the graph a page draws, as its URL says. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from apiclients.cli.dashboard.views.paging import QueryError, page_number
from apiclients.cli.dashboard.views.parameters import stripped
from apiclients.cli.git.names import is_name
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.refs import NamespacedName

#: In a URL: clients that name no owner.
NO_OWNER = "-"
_MOST_HOPS = 2


class By(StrEnum):
    """What clients are put together by in the overview."""

    OWNER = "owner"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """What is asked for; empty: the overview."""

    by: By = By.OWNER
    owner: str = ""
    namespace: str = ""
    #: The namespace of Apis.
    apis: str = ""
    status: str = ""
    text: str = ""
    #: Whose neighbours are drawn: namespace and name.
    client: NamespacedName | None = None
    api: NamespacedName | None = None
    #: 1: its own contracts. 2: those of its neighbours too.
    hops: int = 1
    page: int = 1

    @property
    def center(self) -> bool:
        """Whether the neighbours of one client or Api are asked for."""
        return self.client is not None or self.api is not None

    @property
    def overview(self) -> bool:
        """Whether clients and Apis are put together, for nothing says which ones."""
        return not (self.center or self.owner or self.namespace or self.apis or self.text)

    def fields(self) -> dict[str, object]:
        """The parameters, as the URL has them."""
        return {
            "by": "" if self.by is By.OWNER else self.by.value,
            "q": self.text,
            "owner": self.owner,
            "namespace": self.namespace,
            "apis": self.apis,
            "status": self.status,
            "client": "/".join(self.client or ()),
            "api": "/".join(self.api or ()),
            "hops": self.hops,
            "page": self.page,
        }

    def url(self, **changes: object) -> str:
        """The address of the same page with something else: ``query.url(page=2)``."""
        return graph_url(**(self.fields() | changes))


def graph_url(**fields: object) -> str:
    """The address of a graph; what is empty or 1 is left out."""
    shown = {key: value for key, value in fields.items() if value not in ("", None, 1)}
    return f"/graph?{urlencode(shown, safe='/')}" if shown else "/graph"


def read_graph_query(parameters: Mapping[str, str]) -> GraphQuery:
    """The query of a URL. Raises QueryError for what cannot be meant; unknown parameters count as not there."""
    given = stripped(parameters)
    client, api = _reference("client", given), _reference("api", given)
    if client and api:
        raise QueryError("client and api cannot be used together")
    return GraphQuery(
        by=By(_one_of("by", given, list(By)) or By.OWNER),
        owner=given.get("owner", ""),
        namespace=given.get("namespace", ""),
        apis=given.get("apis", ""),
        status=_one_of("status", given, list(ContractStatusName)),
        text=given.get("q", ""),
        client=client,
        api=api,
        hops=_hops(given.get("hops", "1")),
        page=page_number(given.get("page", "1")),
    )


def _one_of(name: str, given: Mapping[str, str], known: list[str]) -> str:
    value = given.get(name, "")
    if value and value not in known:
        raise QueryError(f"{name}={value} is not known: use one of {', '.join(known)}")
    return value


def _reference(name: str, given: Mapping[str, str]) -> NamespacedName | None:
    text = given.get(name, "")
    if not text:
        return None
    namespace, _, rest = text.partition("/")
    if not (is_name(namespace) and is_name(rest)):
        raise QueryError(f"{name}={text} is not NAMESPACE/NAME")
    return namespace, rest


def _hops(text: str) -> int:
    if text not in map(str, range(1, _MOST_HOPS + 1)):
        raise QueryError(f"hops={text} is not known: use 1 or 2")
    return int(text)
