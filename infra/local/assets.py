"""The folder of assets, which every function reads as it starts."""

from infra.errors import PlatformError


def require_assets() -> None:
    """Make sure that the functions will be able to read it.

    Raises:
        PlatformError: it is not there, or one of its files can't be used.
    """
    try:
        from countermark import engine  # here: it reads the folder when it is imported

        _ = engine.assets().presets
        engine.prepare_tasks()
    except (ImportError, ValueError) as error:
        raise PlatformError(f"COUNTERMARK_ASSETS: {error}") from None
