"""Continuous batching over llama.cpp: token ids in, token ids out."""
