"""Views and charts of the Present page."""
