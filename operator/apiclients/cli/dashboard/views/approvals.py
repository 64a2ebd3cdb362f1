"""The page of contracts that wait for an approval: grouped by Api, oldest first, with the YAML that approves.

Pure but for `approvable`, which looks for approvals among the manifests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from apiclients.cli.actions.proposing import Proposal
from apiclients.cli.actions.ruling import Answer, answer_change
from apiclients.cli.dashboard.state.relations import PendingRequest
from apiclients.cli.dashboard.views.paging import Part, page_number, part
from apiclients.cli.dashboard.views.parameters import owner_matches, stripped
from apiclients.cli.dashboard.views.pending import Requests
from apiclients.cli.errors import CliError
from apiclients.resources.approval import Decision

PATH = "/approvals"
#: Requests on one page.
PAGE_SIZE = 50
_LATEST = datetime.max.replace(tzinfo=UTC)

#: Owners by namespace and name of the client.
Owners = Mapping[tuple[str, str], str | None]


@dataclass(frozen=True, slots=True)
class ApprovalQuery:
    """The filters and the page."""

    text: str = ""
    #: Of the Api.
    namespace: str = ""
    #: Of the client.
    owner: str = ""
    page: int = 1

    def matches(self, line: "RequestLine") -> bool:
        """Whether a request matches."""
        return (
            self.namespace in ("", line.api[0])
            and owner_matches(self.owner, line.owner)
            and all(word in line.searched for word in self.text.lower().split())
        )

    def url(self, page: int) -> str:
        """The URL of another page of the same list."""
        fields = {"q": self.text, "namespace": self.namespace, "owner": self.owner, "page": page if page > 1 else ""}
        shown = {key: value for key, value in fields.items() if value}
        return f"{PATH}?{urlencode(shown)}" if shown else PATH


def read_approval_query(parameters: Mapping[str, str]) -> ApprovalQuery:
    """Parse the parameters of a URL. Raises QueryError for invalid values; unknown parameters are ignored."""
    given = stripped(parameters)
    return ApprovalQuery(
        text=given.get("q", ""),
        namespace=given.get("namespace", ""),
        owner=given.get("owner", ""),
        page=page_number(given.get("page", "1")),
    )


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One contract that waits."""

    pending: PendingRequest
    owner: str | None
    #: Whether the dashboard has a page of the client.
    client_known: bool

    @property
    def api(self) -> tuple[str, str]:
        """Namespace and name of the Api."""
        return self.pending.request.api

    @property
    def searched(self) -> str:
        """The text that a search covers."""
        request = self.pending.request
        parts = (request.namespace, request.name, request.client, *request.api, request.plan, self.owner)
        return " ".join(part for part in parts if part).lower()


@dataclass(frozen=True, slots=True)
class Approvable:
    """A request, and what approves it."""

    line: RequestLine
    answer: Proposal
    #: Whether existing approvals were read.
    approvals_known: bool


@dataclass(frozen=True, slots=True)
class ApiGroup:
    """The requests for one Api on a page, oldest first."""

    namespace: str
    name: str
    requests: tuple[Approvable, ...]


def request_lines(requests: Requests, owners: Owners) -> list[RequestLine]:
    """All requests, oldest first, grouped by Api; the Api with the oldest request comes first."""
    lines = []
    for one in requests.pending:
        client = (one.request.namespace, one.request.client)
        lines.append(RequestLine(one, owners.get(client), client in owners))
    oldest: dict[tuple[str, str], datetime] = {}
    for line in lines:
        oldest[line.api] = min(oldest.get(line.api, _LATEST), _since(line))
    return sorted(lines, key=lambda line: (oldest[line.api], line.api, _since(line), line.searched))


def find_requests(query: ApprovalQuery, lines: Iterable[RequestLine]) -> Part[RequestLine]:
    """The requested page, or the last one if there are fewer."""
    return part([line for line in lines if query.matches(line)], query.page, PAGE_SIZE, query.url)


def approvable(lines: Sequence[RequestLine], requests: Requests, root: Path) -> tuple[ApiGroup, ...]:
    """The lines of one page by Api, each with what approves it; ``root`` is where the manifests are."""
    groups: dict[tuple[str, str], list[Approvable]] = {}
    for line in lines:
        known = requests.knows_approvals(line.api[0])
        groups.setdefault(line.api, []).append(Approvable(line, _answer(line, requests, root), known))
    return tuple(ApiGroup(*api, tuple(found)) for api, found in groups.items())


def _answer(line: RequestLine, requests: Requests, root: Path) -> Proposal:
    """What ``kubectl apiclient approve`` prints."""
    given = requests.approvals.get(line.api[0], ())
    try:
        return answer_change(line.pending.request, Answer(Decision.APPROVED, None, None, root), given)
    except CliError as error:
        return Proposal(str(error), "")


def _since(line: RequestLine) -> datetime:
    return line.pending.since or _LATEST
