"""The Kubernetes edge: client, cache, events, leases. Nothing outside this folder speaks to the API server."""
