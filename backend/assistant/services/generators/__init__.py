"""Text generation behind one interface: the local engine, or a mock with set rates."""
