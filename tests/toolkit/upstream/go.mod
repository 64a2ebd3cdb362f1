// The modules whose CustomResourceDefinitions the manifests of manifests/gateways and the chart are checked against: all are
// Apache-2.0, traefik MIT. The tests read them from the module cache; nothing of them is in this repository.
module upstream

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/envoyproxy/gateway v1.9.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
	github.com/traefik/traefik/v3 v3.7.13
	istio.io/api v1.32.0
	sigs.k8s.io/gateway-api v1.6.1
)
