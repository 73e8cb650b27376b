"""The chat: one question to several models at once, on the pages Compare and Present."""
