"""What the pictures show: teams with contracts, and a branch that retires one client, suspends one, rotates one."""

SHOP = """\
apiVersion: apiclients.dev/v1alpha1
kind: Api
metadata: {name: orders, namespace: shop}
spec:
  desiredStatus: Published
  version: v1
  consumers: {from: All}
  plans:
  - {name: basic, scopes: [orders.read]}
  - {name: gold, approval: Manual, scopes: [orders.read, orders.write]}
---
apiVersion: apiclients.dev/v1alpha1
kind: Api
metadata: {name: payments, namespace: shop}
spec:
  desiredStatus: Published
  version: v2
  consumers: {from: All}
  plans:
  - {name: basic, scopes: [payments.read]}
  - {name: gold, approval: Manual, scopes: [payments.read, payments.write]}
---
apiVersion: apiclients.dev/v1alpha1
kind: ContractApproval
metadata: {name: billing-orders, namespace: shop}
spec:
  contract: {namespace: team-a, name: billing-orders}
  client: billing-1.0
  api: orders
  plan: gold
  decision: Approved
"""

BILLING = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: billing-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: billing
  version: "1.0"
  displayName: Billing
  owner: billing@example.com
  secret: {name: billing-credentials, revision: 1}
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: billing-orders, namespace: team-a}
spec:
  clientName: billing-1.0
  api: {namespace: shop, name: orders}
  plan: gold
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: billing-payments, namespace: team-a}
spec:
  clientName: billing-1.0
  api: {namespace: shop, name: payments}
  plan: basic
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: billing, namespace: team-a}
spec:
  replicas: 0
  selector: {matchLabels: {app: billing}}
  template:
    metadata: {labels: {app: billing}}
    spec:
      containers:
      - name: billing
        image: registry.example.com/billing:1.0
        envFrom: [{secretRef: {name: billing-credentials}}]
"""

CATALOG = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: catalog-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: catalog
  version: "1.0"
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: catalog-orders, namespace: team-a}
spec:
  clientName: catalog-1.0
  api: {namespace: shop, name: orders}
  plan: basic
"""

MOBILE = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: mobile-2.3, namespace: team-a}
spec:
  desiredStatus: Available
  client: mobile
  version: "2.3"
  secret: {name: mobile-credentials}
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: mobile-orders, namespace: team-a}
spec:
  clientName: mobile-2.3
  api: {namespace: shop, name: orders}
  plan: basic
"""

#: What the branch makes of the files: a retirement that names one of two contracts, a full one, a suspension.
AVAILABLE = "desiredStatus: Available"
BRANCH_EDITS = (
    (
        "team-a/billing.yaml",
        AVAILABLE,
        "desiredStatus: Retired\n  retirement: {acknowledgedContracts: [billing-orders]}",
    ),
    (
        "team-a/mobile.yaml",
        AVAILABLE,
        "desiredStatus: Retired\n  retirement: {acknowledgedContracts: [mobile-orders]}",
    ),
    ("team-a/catalog.yaml", AVAILABLE, "desiredStatus: Suspended"),
)
