"""Run the platform: python -m infra.local up"""

from infra.local.cli import main

main()
