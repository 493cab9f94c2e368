"""How a function is served: requests and messages for the handler, and leaving without losing any."""
