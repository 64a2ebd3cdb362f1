"""``python -m chart manifests/chart``: write what follows from other manifests and values; ``--check`` writes none."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from chart import values
from chart.templates import Source, crd, template

ROOT = Path(__file__).resolve().parents[1]
_NOTE = "{{- /* Made from %s by `make generate`. */ -}}\n"
_GENERATED = "templates/generated"
_README = """# Helm chart of apiclient-operator

Made by `make generate` from `values.yaml`. Tested with Helm 3 and 4.

```
helm install apiclients manifests/chart --namespace apiclients-system --create-namespace \\
  --set issuer=https://tokens.example.com --set image.repository=registry.example.com/apiclient-operator
```

One installation per cluster: names of cluster-wide objects are fixed, whatever release and namespace are called.
`helm upgrade` updates the CRDs. `helm uninstall` keeps CRDs, clients, their Secrets and the Secret with the keys,
unless `crds.keep` is false. Both programs run under the Pod Security level `restricted`.

## Values

"""
#: The same table beside the other pages about the installation, from the folder of the chart.
_PAGE = "../../docs/install/values.md"
_PAGE_HEAD = """# Values of the chart

Made by `make generate` from `manifests/chart/values.yaml`. Helm checks values against a schema: one that is misspelled
is refused before anything is installed. What to set for which purpose: [the pages about the installation](README.md).

"""
_RBAC = "$.Values.rbac.create"
_EVERYWHERE = "not $.Values.operator.secretNamespaces"
#: Under ``manifests``: what the chart has under which condition, and under which name.
_CONDITIONS = {
    "control/rbac-operator.yaml": _RBAC,
    "control/rbac-gate.yaml": _RBAC,
    "control/rbac-users.yaml": "$.Values.rbac.userRoles",
    "control/flow-control.yaml": "$.Values.flowControl.enabled",
    "overlays/strict/bindings.yaml": "and $.Values.policies.enabled $.Values.policies.strict",
}


def main() -> int:
    """Write or compare; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chart", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the chart")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    args = parser.parse_args()
    folder: Path = args.folder
    wanted = {folder / name: text for name, text in _files(folder)}
    made = {*folder.glob(f"{_GENERATED}/*.yaml"), *wanted}
    stale = [path for path in sorted(made) if not path.is_file() or path.read_text() != wanted.get(path)]
    if args.check:
        for path in stale:
            print(f"{path} is not what manifests and values say: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
    return 0


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    found = values.read((folder / "values.yaml").read_text())
    yield "values.schema.json", values.schema(found)
    yield "README.md", _README + values.table(found)
    yield _PAGE, _PAGE_HEAD + values.table(found)
    for name, text in _templates():
        yield f"{_GENERATED}/{name}", text
    for name in ("rules.yaml", "dashboard.json"):
        yield f"files/{name}", (ROOT / "manifests/monitoring" / name).read_text()


def _templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "crds").glob("apiclients.dev_*.yaml")):
        yield f"crd-{path.stem.split('_')[1]}.yaml", _NOTE % f"crds/{path.name}" + crd(path.read_text())
    everywhere = {("ClusterRoleBinding", "apiclient-operator-secrets"): _EVERYWHERE}
    policies = {
        f"control/policies/{path.name}": "$.Values.policies.enabled"
        for path in sorted((ROOT / "manifests/control/policies").glob("*.yaml"))
    }
    for name, condition in (_CONDITIONS | policies).items():
        source = Source((ROOT / "manifests" / name).read_text(), condition, everywhere)
        prefix = "policy-" if name in policies else ""
        file = "strict" if "strict" in name else Path(name).stem
        yield f"{prefix}{file}.yaml", _NOTE % f"manifests/{name}" + template(source)


if __name__ == "__main__":
    sys.exit(main())
