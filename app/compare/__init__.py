"""Views and charts of the Compare page."""
