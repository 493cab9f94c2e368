"""What functions hear and say over HTTP: calls, messages, problems, and the server around a handler."""
