"""Performance and quality measured from the repository: ``python -m benchmarks.NAME``."""
