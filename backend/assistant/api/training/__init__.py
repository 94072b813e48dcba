"""Routes about what the model learns from, the weekly runs, the versions that came of them, and their use."""
