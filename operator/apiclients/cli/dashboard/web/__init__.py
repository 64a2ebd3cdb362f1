"""Requests to this machine: who may look, what a page is rendered with, and how it stays live."""
