"""The generated CustomResourceDefinitions: what the models say, and what a structural schema and good taste ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.resources.crd import API_CLIENT, KINDS, Kind, custom_resource_definition, main, render, stale_files
from apiclients.resources.fields import DURATION_BOUNDS
from apiclients.resources.schema import annotated_schema

ROOT = Path(__file__).resolve().parents[2]
CRDS = {kind.kind: yaml.safe_load((ROOT / "crds" / kind.file_name).read_text()) for kind in KINDS}


def nodes(node: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below a schema, with its path."""
    yield where, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{where}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if key in node:
            yield from nodes(node[key], where + mark)


def version(kind: str = "ApiClient") -> dict[str, Any]:
    (only,) = CRDS[kind]["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def properties(kind: str = "ApiClient") -> dict[str, Any]:
    found = version(kind)["schema"]["openAPIV3Schema"]["properties"]
    assert isinstance(found, dict)
    return found


def below(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """All of spec and status of one kind."""
    return [found for part in ("spec", "status") for found in nodes(properties(kind)[part], part)]


#: Spec and status of all kinds; paths begin with the kind.
ALL = [(f"{kind}.{path}", node) for kind in CRDS for path, node in below(kind)]
#: The same with the bounds of values, which for specs the policies have.
BOUNDED = [
    (f"{kind.kind}.{path}", node)
    for kind in KINDS
    for part, model in (("spec", kind.spec), ("status", kind.status))
    if model is not None
    for path, node in nodes(annotated_schema(model), part)
]
BOUNDED_CLIENT = {path.removeprefix("ApiClient."): node for path, node in BOUNDED if path.startswith("ApiClient.")}
CLIENT = dict(below("ApiClient"))
every_kind = pytest.mark.parametrize("kind", CRDS)


def test_the_files_in_crds_are_what_the_models_say() -> None:
    assert stale_files(ROOT / "crds") == []


def test_a_stale_or_missing_file_is_told_and_then_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--check"]) == 1
    assert "run `make generate`" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    path = tmp_path / API_CLIENT.file_name
    path.write_text(path.read_text().replace("2160h", "2161h"))
    assert stale_files(tmp_path) == [path]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.kind for kind in KINDS])
def test_every_kind_is_rendered_the_same_way_each_time(kind: Kind) -> None:
    assert render(kind) == render(kind)
    assert yaml.safe_load(render(kind)) == custom_resource_definition(kind)


def test_no_default_stands_inside_a_list() -> None:
    """It would be a difference for ever to who compares lists as a whole: kubectl apply, Argo CD."""
    assert [path for path, node in ALL if "[]." in path and "default" in node] == []


@every_kind
def test_names_category_and_scope(kind: str) -> None:
    spec = CRDS[kind]["spec"]
    names = spec["names"]
    assert CRDS[kind]["metadata"]["name"] == f"{names['plural']}.apiclients.dev"
    assert (names["kind"], names["listKind"]) == (kind, f"{kind}List")
    scope = "Cluster" if kind == "TokenIssuer" else "Namespaced"
    assert (names["categories"], spec["scope"]) == (["apiclients-dev"], scope)


def test_an_apiclient_has_a_short_name_that_is_unlikely_to_collide() -> None:
    assert CRDS["ApiClient"]["spec"]["names"]["shortNames"] == ["apic"]


@every_kind
def test_status_is_a_subresource_with_its_default_on_itself_or_it_would_not_be_applied(kind: str) -> None:
    assert version(kind)["subresources"] == {"status": {}}
    assert properties(kind)["status"]["default"] == {"observedGeneration": -1}
    assert "required" not in properties(kind)["status"]


def test_clients_can_be_listed_by_what_is_desired() -> None:
    paths = [field["jsonPath"] for field in version()["selectableFields"]]
    assert paths == [".spec.desiredStatus", ".status.observedStatus"]


@every_kind
def test_what_can_be_selected_is_a_string_that_exists_and_is_not_in_a_list(kind: str) -> None:
    fields = version(kind).get("selectableFields", [])
    assert len(fields) <= 8
    for field in fields:
        assert dict(below(kind))[field["jsonPath"].lstrip(".")]["type"] == "string"


METADATA = {f"metadata.{name}" for name in ("creationTimestamp", "namespace", "uid", "generation", "resourceVersion")}


@every_kind
def test_columns_show_fields_that_exist_and_wide_ones_come_after_the_age(kind: str) -> None:
    columns = version(kind)["additionalPrinterColumns"]
    wide = [column.get("priority", 0) for column in columns]
    assert wide == sorted(wide)
    assert [c["name"] for c in columns if not c.get("priority")][-1] == "AGE"
    for column in columns:
        path = column["jsonPath"].split("[")[0].lstrip(".")
        assert path.startswith("metadata.annotations.") or path in METADATA or path in dict(below(kind)), column["name"]
        assert column["description"]
        assert " " not in column["name"]


def test_columns_of_a_client_tell_wish_observation_and_readiness_first() -> None:
    names = [column["name"] for column in version()["additionalPrinterColumns"]]
    assert names[:4] == ["DESIRED", "OBSERVED", "READY", "REASON"]


def test_the_schemas_hold_nothing_that_a_structural_schema_may_not_hold() -> None:
    forbidden = {
        "$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "const", "title", "nullable", "uniqueItems",
        "patternProperties", "dependencies", "id", "additionalItems", "exclusiveMinimum", "exclusiveMaximum",
        "examples",
    }  # fmt: skip
    assert {path: forbidden & node.keys() for path, node in ALL if forbidden & node.keys()} == {}


def test_every_field_has_a_known_type_and_none_is_a_float() -> None:
    assert {node.get("type") for _, node in ALL} <= {"object", "array", "string", "integer", "boolean"}


def test_no_object_takes_both_named_and_any_fields() -> None:
    assert [path for path, node in ALL if {"properties", "additionalProperties"} <= node.keys()] == []


def test_every_field_is_described_for_kubectl_explain() -> None:
    fields = [(path, node) for path, node in ALL if not path.endswith(("[]", ".*"))]
    assert [path for path, node in fields if not node.get("description", "").endswith(".")] == []


def test_no_docstring_of_the_code_becomes_a_description() -> None:
    assert [
        path for path, node in ALL if "``" in node.get("description", "") or "\n" in node.get("description", "")
    ] == []


def test_every_string_is_bounded() -> None:
    assert [p for p, n in BOUNDED if n["type"] == "string" and not {"maxLength", "enum"} & n.keys()] == []


def test_every_list_is_bounded_and_says_how_it_merges() -> None:
    lists = [(path, node) for path, node in BOUNDED if node["type"] == "array"]
    assert [path for path, node in lists if "maxItems" not in node] == []
    for path, node in lists:
        kind, item = node["x-kubernetes-list-type"], node["items"]
        keys = set(node.get("x-kubernetes-list-map-keys", ()))
        assert kind in ("map", "set", "atomic"), path
        assert (kind == "map") is bool(keys), path
        assert keys <= set(item.get("required", ())), path
        assert kind != "set" or item["type"] != "object", path


def test_every_map_is_bounded_and_holds_strings() -> None:
    maps = [(path, node) for path, node in BOUNDED if "additionalProperties" in node]
    assert [p for p, n in maps if "maxProperties" not in n or n["additionalProperties"]["type"] != "string"] == []


def test_required_fields_have_no_default() -> None:
    required = [(path, name, node) for path, node in ALL for name in node.get("required", [])]
    assert [f"{path}.{name}" for path, name, node in required if "default" in node["properties"][name]] == []


def test_nothing_is_named_phase_or_timestamp() -> None:
    assert [path for path, _ in ALL if path.lower().endswith(("phase", "timestamp"))] == []


def test_only_what_is_desired_is_required_of_a_client() -> None:
    assert version()["schema"]["openAPIV3Schema"]["required"] == ["spec"]
    assert CLIENT["spec"]["required"] == ["desiredStatus"]
    assert CLIENT["spec.desiredStatus"]["enum"] == ["Available", "Suspended", "Retired"]


def test_defaults_reach_a_client_that_says_nothing_but_what_is_desired() -> None:
    assert {
        path: node["default"] for path, node in CLIENT.items() if "default" in node and path.startswith("spec")
    } == {
        "spec.secret": {},
        "spec.secret.issue": True,
        "spec.secret.lifetime": "2160h",
        "spec.secret.rotation": "Automatic",
        "spec.secret.revision": 1,
        "spec.secret.template": {},
        "spec.tokens": {},
        "spec.tokens.lifetime": "12h",
        "spec.retirement": {},
        "spec.retirement.gracePeriod": "24h",
    }


@pytest.mark.parametrize("path", ["spec.secret.name", "spec.secret.renewBefore", "spec.secret.overlap", "spec.client"])
def test_what_follows_from_other_fields_has_no_default_in_the_crd(path: str) -> None:
    assert "default" not in CLIENT[path]


#: What the API server answers with 422 where it does not hold, beside types, enums, missing fields and what is twice in
#: a list.
VALUES = {
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties",
    "maxProperties", "multipleOf", "x-kubernetes-validations",
}  # fmt: skip


@pytest.mark.rule(27)
def test_no_crd_has_a_bound_on_what_people_edit() -> None:
    specs = [(path, node) for path, node in ALL if path.split(".")[1].startswith("spec")]
    assert {path: VALUES & node.keys() for path, node in specs if VALUES & node.keys()} == {}


@pytest.mark.parametrize(
    ("path", "least", "most"),
    [
        ("spec.secret.lifetime", "1s", "17520h"),
        ("spec.secret.renewBefore", "0s", "17520h"),
        ("spec.secret.overlap", "0s", "17520h"),
        ("spec.tokens.lifetime", "1s", "72h"),
        ("spec.retirement.gracePeriod", "0s", "17520h"),
    ],
)
def test_durations_are_bounded(path: str, least: str, most: str) -> None:
    assert BOUNDED_CLIENT[path][DURATION_BOUNDS] == [least, most]


@every_kind
def test_names_are_at_most_63_characters(kind: str) -> None:
    assert properties(kind)["metadata"]["properties"]["name"]["maxLength"] == 63


def test_the_name_of_a_secret_may_be_as_long_as_kubernetes_allows() -> None:
    assert BOUNDED_CLIENT["spec.secret.name"]["maxLength"] == 253


@every_kind
def test_conditions_look_like_those_of_every_kind(kind: str) -> None:
    condition = dict(below(kind))["status.conditions[]"]
    assert set(condition["properties"]) == {
        "type", "status", "reason", "message", "observedGeneration", "lastTransitionTime",
    }  # fmt: skip
    assert condition["properties"]["status"]["enum"] == ["True", "False", "Unknown"]
    assert set(condition["required"]) == {"type", "status", "reason", "lastTransitionTime"}


@pytest.mark.rule(23)
def test_no_field_of_status_is_meant_to_hold_a_secret() -> None:
    assert set(CLIENT["status.credentials[]"]["properties"]) == {
        "id", "revision", "state", "issuedTime", "expiresTime", "digest", "pepper", "cause", "lastUsedTime",
    }  # fmt: skip
