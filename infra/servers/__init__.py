"""The servers: a room for each, with its templates and the code that fills them; the same on every platform."""
