"""Lists as tables: which objects there are, at which version, and nothing else of them.

The API server makes tables for kubectl. Asked for one without the objects in it, it sends the columns of the
CustomResourceDefinition and nothing that people can make large: no labels, annotations or managed fields.
"""

from apiclients.kube.errors import MissingColumnsError
from apiclients.kube.objects import JsonObject, Page, version_of
from apiclients.kube.stream import decode_object
from apiclients.resources.names import GENERATION_COLUMN, NAMESPACE_COLUMN, UID_COLUMN, VERSION_COLUMN

#: What such a list accepts, and what its query holds.
ACCEPT_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
WITHOUT_OBJECTS = {"includeObject": "None"}

_FIELDS = {
    "Name": "name",
    NAMESPACE_COLUMN: "namespace",
    UID_COLUMN: "uid",
    GENERATION_COLUMN: "generation",
    VERSION_COLUMN: "resourceVersion",
}


def table_page(body: bytes) -> tuple[Page, str]:
    """The rows as a page, and the token with which the list goes on. Raises MissingColumnsError."""
    table = decode_object(body)
    return Page(identities(table), str(version_of(table))), table["metadata"].get("continue") or ""


def identities(table: JsonObject) -> list[JsonObject]:
    """The rows, as objects that have nothing but these fields of metadata. Raises MissingColumnsError."""
    places = {column.get("name"): place for place, column in enumerate(table.get("columnDefinitions") or ())}
    if not places.keys() >= _FIELDS.keys():
        raise MissingColumnsError(
            "the CustomResourceDefinition has no columns that identify objects: apply the newer one"
        )
    fields = [(field, places[name]) for name, field in _FIELDS.items()]
    rows = (row["cells"] for row in table.get("rows") or ())
    # A kind without namespaces has nothing in that column.
    return [{"metadata": {name: cells[at] for name, at in fields if cells[at] is not None}} for cells in rows]
