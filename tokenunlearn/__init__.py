"""TokenUnlearn."""
