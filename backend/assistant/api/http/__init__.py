"""What every request and response goes through, whatever it is about."""
