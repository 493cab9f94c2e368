"""Structured logs: one JSON object a line on standard output, with the ids of the job and image at hand."""

import logging
import os

import structlog
from structlog.typing import Processor


def configure_logs() -> None:
    """Send structlog's events, and what libraries log as warnings, to standard output as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(function=os.environ.get("FUNCTION_NAME", ""))
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # requests may wait: that is what the queue is for
