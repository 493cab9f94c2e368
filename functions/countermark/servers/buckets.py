"""The buckets of the object store, also for those who only name them and ask nothing."""

UPLOADS = "uploads"
"""The bucket of what people upload: ``posted/<job>/<number>`` through a function, ``direct/<job>/<number>`` by a
presigned link. Only what is below ``direct/`` is announced by a bucket notification."""
RESULTS = "results"
"""The bucket of what was made: ``<job>/<number>``, ``<job>.zip``, and below ``drop/`` the copies of the drop bucket."""
DROP = "drop"
"""The bucket that people drop files in: ``<folder>/<name>``."""
