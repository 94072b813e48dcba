"""What the weekly run learns from, and what it has learned from."""
