"""The page System: what the app runs on, what runs and waits, and how it is set up."""
