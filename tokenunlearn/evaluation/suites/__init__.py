"""Suites: which metrics are measured on which splits."""
