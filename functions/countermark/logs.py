"""Structured logs: one JSON object a line on standard output, with the ids of the job and image at hand."""

import logging
from typing import Any

import structlog
from structlog.typing import EventDict, Processor


def configure_logs(**said: str) -> None:
    """Send structlog's events, and what libraries log as warnings, to standard output as JSON lines.

    Args:
        said: what each line says, in whatever thread it is written, unless it says something else itself.
    """

    def say(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {**said, **event}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        say,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # requests may wait: that is what the queue is for
