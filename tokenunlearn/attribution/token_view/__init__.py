"""The token view: an answer as text with its controls, for the app and as a page of its own for notebooks."""
