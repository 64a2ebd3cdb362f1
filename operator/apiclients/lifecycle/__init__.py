"""Decisions: pure functions of what was observed and the time. No IO, no clock of their own.

Operator, gate and ``plan`` call the same ones; each rule of the design stands here once.
"""
