"""Views and charts of the Data page."""
