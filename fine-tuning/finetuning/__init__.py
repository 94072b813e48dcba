"""From chats to better weights, weekly: extract, train, export, evaluate, publish."""
