"""All that touches a model: presets, loading, encoding, forward passes, generation, processes."""
