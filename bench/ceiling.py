"""The engine alone on the images of a scenario, in one process a core, without any servers."""

import os
import time
from concurrent.futures import ProcessPoolExecutor

from countermark import engine


def engine_milliseconds(images: list[bytes]) -> float:
    """Processor time for one image: decoded, marked and encoded, while all cores do so; the processes are warm."""
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, initializer=mark, initargs=images[:1]) as pool:
        return sum(pool.map(mark, images)) / len(images) * 1000


def mark(data: bytes) -> float:
    """Mark one image as a job without options does; the processor seconds that it took."""
    started = time.process_time()
    engine.process(data, engine.load_options({}))
    return time.process_time() - started
