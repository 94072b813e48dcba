"""Formats of an answer (JSON, JSON Schema, tool calls, GBNF) as grammars that the sampler enforces."""
