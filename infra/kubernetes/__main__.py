"""Render manifests and make secrets: python -m infra.kubernetes"""

from infra.kubernetes.cli import main

main()
