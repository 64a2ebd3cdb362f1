"""What each page shows: which part of the state its URL asks for.

Pure but for `gates`, which reads Leases, and `approvals`, which reads manifests.
"""
