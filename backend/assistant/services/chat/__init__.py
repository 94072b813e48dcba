"""Answers in conversations: begun, written, followed, stopped, compared."""
