"""MinIO: the object store on a cluster, and on one machine if it is asked for."""
