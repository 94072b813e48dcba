"""Routes for editors and scripts beside OpenAI's: ``/infill``, ``/chat``, ``/generate``, ``/ws/chat``."""
