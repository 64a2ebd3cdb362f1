"""Benchmarks: every figure beside its floor, both measured in the same run on the same machine.

An absolute figure says more about a machine than about a program. So each figure here that can have one has a floor:
the least work with which the same could be done (bare requests to the same API server, a bare answer from the same
HTTP server, the bare signature). Floor and subject alternate; what is told is the median of the rounds and their
ratio. Nothing fails on a slow machine; counts are exact everywhere, and a wrong count is an error.

``python -m bench --help`` says how to run one or all; results go to ``bench/results/``.
"""
