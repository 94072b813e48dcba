"""The backend: chat, OpenAI-compatible API and the continuous-batching engine behind them."""

__version__ = "0.1.0"
