"""Calls of programs: counted, recorded for the weekly run; autocompletes and tool calls."""
