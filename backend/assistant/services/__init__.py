"""What the routes call: chat, history, models, recording."""
