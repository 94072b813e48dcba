"""HTTP: routes, request and response shapes, dependencies."""
