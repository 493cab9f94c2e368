"""Start the command line."""

from infra.images.cli import main

main()
