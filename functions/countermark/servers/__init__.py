"""The servers behind the functions: the database, the object store and the message stream."""
