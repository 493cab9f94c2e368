"""The one-machine platform: real servers, the connector and the functions as processes that a supervisor watches."""
