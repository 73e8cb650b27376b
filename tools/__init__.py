"""What builds the embedded models, data and runs; not part of the wheel."""
