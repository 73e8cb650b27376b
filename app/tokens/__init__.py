"""Views and charts of the Tokens page."""
