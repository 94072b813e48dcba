"""The bundled demo model: how it is made, and the model itself."""
