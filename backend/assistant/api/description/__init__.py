"""What ``/openapi.json`` says beyond the signatures of the routes."""
