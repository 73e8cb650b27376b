"""Views and charts of the Unlearn page."""
