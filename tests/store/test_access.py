"""The table of who may do what becomes policies that say the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from countermark.settings import InvalidSettings

from infra.store.access import ACCESS, policy_of
from infra.store.settings import read_pairs

ROOT = Path(__file__).parents[2]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.store", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_function_has_its_own_identity_and_people_have_one() -> None:
    functions = yaml.safe_load((ROOT / "stack.yml").read_text())["functions"]
    assert set(ACCESS) == {*functions, "people"}


def test_a_policy_allows_what_the_table_says() -> None:
    writing = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    assert policy_of("archive")["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", *writing, "s3:DeleteObject"],
            "Resource": ["arn:aws:s3:::results/*"],
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::results"]},
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": ["arn:aws:s3:::results"]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::drop"]},
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": ["arn:aws:s3:::drop"]},
    ]
    assert policy_of("upload")["Statement"][0] == {
        "Effect": "Allow",
        "Action": [*writing, "s3:DeleteObject"],
        "Resource": ["arn:aws:s3:::uploads/posted/*"],
    }


def test_people_list_only_what_was_made_of_theirs() -> None:
    listing = [
        statement
        for statement in policy_of("people")["Statement"]
        if statement["Action"] == ["s3:ListBucket"] and statement["Resource"] == ["arn:aws:s3:::results"]
    ]
    assert [statement["Condition"] for statement in listing] == [{"StringLike": {"s3:prefix": ["drop/*"]}}]


def test_a_policy_is_printed_for_a_store_whose_users_are_made_by_hand() -> None:
    assert json.loads(run("--policy", "upload").stdout) == policy_of("upload")


def test_what_is_missing_is_named_in_one_line(tmp_path: Path) -> None:
    done = run(SECRETS_DIR=str(tmp_path), S3_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("store: ")
    assert "S3_ACCESS_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_endpoint_that_is_no_address_is_told_in_one_line(tmp_path: Path) -> None:
    done = run(SECRETS_DIR=str(tmp_path), S3_ENDPOINT="store:9000", S3_ACCESS_KEY="a", S3_SECRET_KEY="b")
    assert done.returncode == 1
    assert "S3_ENDPOINT" in done.stderr
    assert done.stderr.count("\n") == 1


def test_half_a_key_pair_is_told(tmp_path: Path) -> None:
    (tmp_path / "upload-access-key").write_text("key\n")
    with pytest.raises(InvalidSettings, match="upload-secret-key"):
        read_pairs(tmp_path)
    (tmp_path / "upload-secret-key").write_text("secret\n")
    pairs = read_pairs(tmp_path)
    assert set(pairs) == {"upload"}
    assert (pairs["upload"].access_key, pairs["upload"].secret_key) == ("key", "secret")


def test_the_documentation_has_the_table_as_it_is() -> None:
    lines = (ROOT / "infra" / "store" / "README.md").read_text().splitlines()
    rows = {line.split()[1]: line for line in lines if line.startswith("| ")}
    for identity, grants in ACCESS.items():
        told = ", ".join(f"{grant.may} `{grant.bucket}/{grant.keys}`" for grant in grants)
        assert rows[identity].endswith(f"| {told} |")
