"""The state of jobs and images."""

from countermark.jobs.drops import DropStore
from countermark.jobs.model import Ending, Image, Job, NewImage, Progress, Result, new_job_id
from countermark.jobs.overdue import Overdue
from countermark.jobs.store import JobStore

__all__ = ["DropStore", "Ending", "Image", "Job", "JobStore", "NewImage", "Overdue", "Progress", "Result", "new_job_id"]
