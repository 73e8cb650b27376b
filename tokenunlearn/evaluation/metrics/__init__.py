"""One file per metric: pure functions of token values or texts."""
