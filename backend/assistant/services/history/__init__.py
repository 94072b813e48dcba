"""Conversations as they are kept: trees of messages, what hangs on them, search, export and import."""
