"""PostgreSQL: the job store."""
