"""The connector: messages of the stream become HTTP calls of functions."""
