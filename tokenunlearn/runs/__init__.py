"""Runs: frozen spec, store on disk, the runner that executes one, the worker that owns the device."""
