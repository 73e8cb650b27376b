"""The prose world: hand-written frames of free prose and the pools their facts are drawn from."""
