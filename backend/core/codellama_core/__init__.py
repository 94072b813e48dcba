"""Shared by the backend and the fine-tuner: tables, migrations, model registry, prompts and machine limits."""
