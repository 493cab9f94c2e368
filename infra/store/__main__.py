"""Set a store up: python -m infra.store"""

import argparse
import json
import sys

from countermark.settings import InvalidSettings, load_settings

from infra.store.access import ACCESS, policy_of
from infra.store.settings import StoreSettings, read_pairs, secrets_folder
from infra.store.setup import SetUpError, set_up

HELP = """Make the buckets, their rules, the identities and the notifications of an object store. Doing it again changes
nothing. S3_ENDPOINT is the store, S3_ACCESS_KEY and S3_SECRET_KEY are its administrator's (environment, or files in
SECRETS_DIR). The key pairs of the identities are the files <identity>-access-key and <identity>-secret-key there; on
MinIO users are made with them, on other stores they are only tried."""


def main() -> None:
    """Read the settings, and do it."""
    parser = argparse.ArgumentParser(prog="python -m infra.store", description=HELP)
    parser.add_argument(
        "--policy", metavar="NAME", choices=ACCESS, help=f"only print the S3 policy of one of {', '.join(ACCESS)}"
    )
    if identity := parser.parse_args().policy:
        print(json.dumps(policy_of(identity), indent=2))
        return
    try:
        set_up(load_settings(StoreSettings), read_pairs(secrets_folder()), lambda line: print(line, flush=True))
    except (InvalidSettings, SetUpError) as error:
        sys.exit(f"store: {error}")


if __name__ == "__main__":
    main()
