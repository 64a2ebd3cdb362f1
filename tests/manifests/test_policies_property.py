"""No expression of a policy fails at run time, whatever the objects: a failure would be a 422, or a silent yes.

Each example asks the real API server with dry runs and compares every answer with a few lines of Python.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cluster import LocalCluster
from tests.manifests.rendered import MANIFESTS
from tests.manifests.samples import FINAL, GROUP, api, client
from tests.toolkit.admin import APPLY, MERGE, Admin, Answer
from tests.toolkit.objects import KINDS, JsonObject
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(27)

LIMIT = 256
#: As long as names can be, and alike but for their end, so that comparing them costs the most.
LONG = [f"{'n' * 59}.{i:03}" for i in range(LIMIT)]
OTHER = [f"{'n' * 59}.x{i:02x}"[:63] for i in range(LIMIT)]
POOL = ["a", "b", "c", "d", "e", "f", "g", "0", "a.b", LONG[0], LONG[1]]

_NUMBERS = count(1)

NAMES = st.lists(st.sampled_from(POOL), unique=True)
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[JsonObject]:
    """Objects that have some of these fields, be it none."""
    return st.fixed_dictionaries({}, optional=fields)


CLIENT_DESIRED = st.sampled_from(["Available", "Suspended", "Retired", "Retired"])
API_DESIRED = st.sampled_from(["Published", "Retired"])
CLIENT_SPECS = st.fixed_dictionaries(
    {"desiredStatus": CLIENT_DESIRED},
    optional={
        "retirement": some(acknowledgedContracts=NAMES, gracePeriod=st.sampled_from(["0s", "24h"])),
        "displayName": st.sampled_from(["", "x", "é"]),
    },
)
CLIENT_STATUSES = some(
    desiredStatus=CLIENT_DESIRED,
    observedGeneration=st.integers(-1, 3),
    contracts=st.fixed_dictionaries(
        {"active": st.integers(0, 9), "pending": st.just(0), "rejected": st.just(0)}, optional={"activeNames": NAMES}
    ),
)
COUNTS = st.sampled_from([0, 1, 2, 1_000_000])
API_SPECS = st.fixed_dictionaries(
    {"desiredStatus": API_DESIRED},
    optional={
        "retirement": some(acknowledgedContractCount=COUNTS, gracePeriod=st.sampled_from(["0s", "24h"])),
        "displayName": st.sampled_from(["", "x", "é"]),
    },
)
API_STATUSES = some(
    desiredStatus=API_DESIRED,
    observedGeneration=st.integers(-1, 3),
    contracts=some(active=COUNTS, pending=COUNTS),
    retirement=st.sampled_from([FINAL, {**FINAL, "final": False}, {k: v for k, v in FINAL.items() if k != "final"}]),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One object as it is, and its spec as somebody wants it."""

    old: JsonObject
    status: JsonObject
    new: JsonObject


def cases(specs: st.SearchStrategy[JsonObject], statuses: st.SearchStrategy[JsonObject]) -> st.SearchStrategy[Case]:
    return st.builds(Case, old=specs, status=statuses, new=specs)


@pytest.fixture(scope="module")
def place(admin: Admin) -> Iterator[str]:
    """A namespace for the objects of all examples."""
    admin.done("POST", "namespaces", None, body={"metadata": {"name": "generated"}})
    yield "generated"
    admin.done("DELETE", "namespaces", None, "generated")


def unacknowledged(spec: JsonObject, status: JsonObject) -> set[str]:
    """What a client's retirement or deletion would end unsaid."""
    active = (status.get("contracts") or {}).get("activeNames", [])
    return set(active) - set((spec.get("retirement") or {}).get("acknowledgedContracts", []))


def uncounted(spec: JsonObject, status: JsonObject) -> bool:
    """The same for an Api."""
    active = (status.get("contracts") or {}).get("active", 0)
    return bool(active > (spec.get("retirement") or {}).get("acknowledgedContractCount", 0))


def asks_to_retire(case: Case, unsaid: object) -> bool:
    """Whether a change of spec is met with a warning."""
    changed = _retirement(case.old) != _retirement(case.new) or case.old.get("desiredStatus") != "Retired"
    retiring = case.new.get("desiredStatus") == "Retired" and case.status.get("desiredStatus") != "Retired"
    return bool(retiring and changed and unsaid)


def _retirement(spec: JsonObject) -> JsonObject:
    """With the defaults. Only Apis have the count, which does no harm."""
    defaults = {"gracePeriod": "24h", "acknowledgedContractCount": 0}
    return defaults | (spec.get("retirement") or {})


def changes(admin: Admin, kind: str, place: str, made: JsonObject, spec: JsonObject) -> list[Answer]:
    """What is said to a new spec by each way to write it."""
    name = made["metadata"]["name"]
    put = admin.ask("PUT", kind, place, name, {**made, "spec": spec}, dryRun="All")
    body = {key: made[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name}, "spec": spec}
    applied = admin.ask("PATCH", kind, place, name, body, content=APPLY, dryRun="All", force="true", fieldManager="git")
    return [put, applied]


def fresh() -> str:
    """A name that no example before has used."""
    return f"x{next(_NUMBERS)}"


@EXAMPLES
@given(case=cases(CLIENT_SPECS, CLIENT_STATUSES))
@example(
    Case(
        {"desiredStatus": "Available"},
        {"contracts": {"active": LIMIT, "pending": 0, "rejected": 0, "activeNames": LONG}},
        {"desiredStatus": "Retired"},
    )
)
@example(
    Case(
        {"desiredStatus": "Available", "retirement": {"acknowledgedContracts": OTHER}},
        {"contracts": {"active": LIMIT, "pending": 0, "rejected": 0, "activeNames": LONG}},
        {"desiredStatus": "Retired", "retirement": {"acknowledgedContracts": OTHER}},
    )
)
@example(
    Case(
        {"desiredStatus": "Available", "retirement": {"acknowledgedContracts": LONG[::-1]}},
        {"contracts": {"active": LIMIT, "pending": 0, "rejected": 0, "activeNames": LONG}},
        {"desiredStatus": "Retired", "retirement": {"acknowledgedContracts": LONG[::-1]}},
    )
)
def test_clients(admin: Admin, place: str, case: Case) -> None:
    body = client(fresh(), place)
    made = admin.with_status("apiclients", {**body, "spec": case.old}, case.status)
    for answer in changes(admin, "apiclients", place, made, case.new):
        assert answer.status == 200, answer
        assert len(answer.warnings) == 2 * asks_to_retire(case, unacknowledged(case.new, case.status))
        assert all("is not retired: " in w or "To retire it, " in w for w in answer.warnings), answer
    for answer in changes(admin, "apiclients", place, made, made["spec"]):
        assert (answer.status, answer.warnings) == (200, ())
    answer = admin.ask("DELETE", "apiclients", place, made["metadata"]["name"], dryRun="All")
    missing = unacknowledged(case.old, case.status)
    assert answer.status == (403 if missing else 200), answer
    assert not missing or f" ends {len(missing)} active contract(s) not in " in answer.message


@EXAMPLES
@given(case=cases(API_SPECS, API_STATUSES))
def test_apis(admin: Admin, place: str, case: Case) -> None:
    body = api(fresh(), place)
    plans = {"plans": body["spec"]["plans"]}
    made = admin.with_status("apis", {**body, "spec": case.old | plans}, case.status)
    final = (case.status.get("retirement") or {}).get("final", False)
    again = (case.old["desiredStatus"], case.new["desiredStatus"]) == ("Retired", "Published")
    for answer in changes(admin, "apis", place, made, case.new | plans):
        assert answer.status == (403 if final and again else 200), answer
        assert len(answer.warnings) == asks_to_retire(case, uncounted(case.new, case.status))
        assert all(" is not retired: it has " in w for w in answer.warnings), answer
    for answer in changes(admin, "apis", place, made, made["spec"]):
        assert (answer.status, answer.warnings) == (200, ())
    answer = admin.ask("DELETE", "apis", place, made["metadata"]["name"], dryRun="All")
    assert answer.status == (403 if uncounted(case.old, case.status) else 200), answer


NULLS: list[tuple[str, JsonObject]] = [
    ("apiclients", {"retirement": None}),
    ("apiclients", {"retirement": {"acknowledgedContracts": None}}),
    ("apiclients", {"retirement": {"acknowledgedContracts": [None]}}),
    ("apiclients", {"retirement": []}),
    ("apiclients", {"retirement": {"acknowledgedContracts": "a"}}),
    ("apis", {"retirement": None}),
    ("apis", {"retirement": {"acknowledgedContractCount": None}}),
    ("apis", {"retirement": {"acknowledgedContractCount": "1"}}),
    ("apis", {"retirement": {"acknowledgedContractCount": 1.0}}),
]


@pytest.mark.parametrize(("kind", "spec"), NULLS)
def test_nulls_and_wrong_types_are_left_to_the_schema(admin: Admin, place: str, kind: str, spec: JsonObject) -> None:
    body = (client if kind == "apiclients" else api)(fresh(), place)
    contracts = {"active": 1, "pending": 0, "rejected": 0} | ({"activeNames": ["x"]} if kind == "apiclients" else {})
    made = admin.with_status(kind, body, {"contracts": contracts})
    for answer in changes(admin, kind, place, made, body["spec"] | {"desiredStatus": "Retired"} | spec):
        assert answer.status in (200, 400, 422, 500), answer
        assert "AdmissionPolicy" not in answer.message
        if answer.status == 200:
            assert len(answer.warnings) == (0 if "1.0" in str(spec) else 2 if kind == "apiclients" else 1)


@pytest.fixture(scope="module")
def shapeless() -> Iterator[Admin]:
    """A cluster whose clients and Apis may have any shape, as if written under other versions of their schema."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    patch = [
        {"op": "replace", "path": "/spec/versions/0/schema", "value": {"openAPIV3Schema": schema}},
        {"op": "remove", "path": "/spec/versions/0/selectableFields"},
    ]
    with LocalCluster() as cluster:
        cluster.kubectl("apply", "-k", str(MANIFESTS / "control"))
        cluster.kubectl("create", "namespace", "any")
        admin = Admin(cluster)
        for kind in ("apiclients", "apis"):
            found = json.loads(cluster.kubectl("get", "crd", f"{kind}.{GROUP}", "--output=json").stdout)
            selectable = "selectableFields" in found["spec"]["versions"][0]
            changes = json.dumps(patch if selectable else patch[:1])
            cluster.kubectl("patch", "crd", f"{kind}.{GROUP}", "--type=json", f"--patch={changes}")
            _await_shapeless(admin, kind)
        _await_refusals(admin)
        yield admin


def _await_shapeless(admin: Admin, kind: str) -> None:
    """The API server goes on with the schema it had for a moment: with the refusals of it, and with its defaults."""
    body: JsonObject = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": KINDS[kind],
        "metadata": {"name": fresh()},
        "spec": {},
    }

    def shapeless() -> bool:
        answer = admin.ask("POST", kind, "any", body=body, dryRun="All")
        return answer.status < 300 and answer.body["spec"] == {}

    eventually(f"{kind} are shapeless", shapeless)


def _await_refusals(admin: Admin) -> None:
    bird = kept(admin, "apiclients", {}, {"contracts": {"activeNames": ["a"]}})["metadata"]["name"]
    tree = kept(admin, "apis", {}, {"contracts": {"active": 1}})["metadata"]["name"]
    stump = kept(admin, "apis", {}, {"retirement": FINAL})["metadata"]["name"]

    def desire(kind: str, name: str, desired: str) -> Answer:
        return admin.ask("PATCH", kind, "any", name, {"spec": {"desiredStatus": desired}}, content=MERGE, dryRun="All")

    eventually("retirements of clients warn", lambda: bool(desire("apiclients", bird, "Retired").warnings))
    eventually("retirements of Apis warn", lambda: bool(desire("apis", tree, "Retired").warnings))
    eventually("what is final is", lambda: desire("apis", stump, "Published").status == 403)
    eventually("clients stay", lambda: admin.ask("DELETE", "apiclients", "any", bird, dryRun="All").status == 403)
    eventually("Apis stay", lambda: admin.ask("DELETE", "apis", "any", tree, dryRun="All").status == 403)


def kept(admin: Admin, kind: str, spec: JsonObject | None, status: JsonObject | None) -> JsonObject:
    """An object with a spec and a status, or without."""
    body: JsonObject = {"apiVersion": f"{GROUP}/v1alpha1", "kind": KINDS[kind], "metadata": {"name": fresh()}}
    made = admin.done("POST", kind, "any", body=body if spec is None else {**body, "spec": spec})
    if status is not None:
        name = made["metadata"]["name"]
        made = admin.done("PUT", kind, "any", name, {**made, "status": status}, subresource="status")
    return made


CLIENT_SHAPES: tuple[list[JsonObject | None], list[JsonObject | None]] = (
    [
        None,
        {},
        {"desiredStatus": "Available"},
        {"desiredStatus": "Retired"},
        {"desiredStatus": "Retired", "retirement": {"gracePeriod": "1h"}},
        {"desiredStatus": "Retired", "retirement": {"acknowledgedContracts": ["a"]}},
    ],
    [
        None,
        {},
        {"contracts": None},
        {"contracts": {}},
        {"contracts": {"activeNames": ["a", "b"]}},
        {"desiredStatus": "Retired", "contracts": {"activeNames": ["a", "b"]}},
    ],
)
API_SHAPES: tuple[list[JsonObject | None], list[JsonObject | None]] = (
    [
        None,
        {},
        {"desiredStatus": "Published"},
        {"desiredStatus": "Retired"},
        {"desiredStatus": "Retired", "retirement": {"gracePeriod": "1h"}},
        {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": 2}},
    ],
    [
        None,
        {},
        {"contracts": None, "retirement": None},
        {"contracts": {}, "retirement": {}},
        {"contracts": {"active": 2}},
        {"contracts": {"active": 3}, "retirement": {"final": False}},
        {"retirement": {"final": True}},
    ],
)


def test_clients_of_any_shape(shapeless: Admin) -> None:
    specs, statuses = CLIENT_SHAPES
    for old, status in product(specs, statuses):
        made = kept(shapeless, "apiclients", old, status)
        for new in specs:
            case = Case(old or {}, status or {}, new or {})
            answer = replaced(shapeless, "apiclients", made, new)
            assert (answer.status, len(answer.warnings)) == (
                200,
                2 * asks_to_retire(case, unacknowledged(case.new, case.status)),
            ), (case, answer)
        answer = shapeless.ask("DELETE", "apiclients", "any", made["metadata"]["name"], dryRun="All")
        assert answer.status == (403 if unacknowledged(old or {}, status or {}) else 200), (old, status, answer)


def test_apis_of_any_shape(shapeless: Admin) -> None:
    specs, statuses = API_SHAPES
    for old, status in product(specs, statuses):
        made = kept(shapeless, "apis", old, status)
        final = ((status or {}).get("retirement") or {}).get("final", False)
        for new in specs:
            case = Case(old or {}, status or {}, new or {})
            published = [spec.get("desiredStatus") == "Published" for spec in (case.old, case.new)]
            answer = replaced(shapeless, "apis", made, new)
            assert (answer.status, len(answer.warnings)) == (
                403 if final and published == [False, True] else 200,
                asks_to_retire(case, uncounted(case.new, case.status)),
            ), (case, answer)
        answer = shapeless.ask("DELETE", "apis", "any", made["metadata"]["name"], dryRun="All")
        assert answer.status == (403 if uncounted(old or {}, status or {}) else 200), (old, status, answer)


def replaced(admin: Admin, kind: str, made: JsonObject, spec: JsonObject | None) -> Answer:
    """What is said to another spec, or to none."""
    body = {key: made[key] for key in made if key != "spec"} | ({} if spec is None else {"spec": spec})
    return admin.ask("PUT", kind, "any", made["metadata"]["name"], body, dryRun="All")
