"""Routes and shapes of the chat application: conversations, answers, search, exports."""
