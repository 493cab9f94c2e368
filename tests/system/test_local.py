"""The platform starts, goes on with its data, and stops without a trace, however it is treated."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from pg8000.native import Connection, DatabaseError
from supervisor.datatypes import dict_of_key_value_pairs

from infra.local import supervise
from infra.local.leftovers import find_leftovers
from infra.local.machine import DATABASE_USER
from infra.local.ports import pick_free_port
from infra.local.stores import Store
from infra.project import ROOT
from infra.store.buckets import BUCKETS, connect
from tests.platform_driver import Platform, temporary_folder, wait_until

pytestmark = pytest.mark.xdist_group("starts")


@pytest.fixture(scope="module")
def kept() -> Iterator[Platform]:
    """A platform whose data folder stays while it is stopped and started."""
    with temporary_folder() as folder:
        platform = Platform(folder / "data", pick_free_port())
        yield platform
        platform.close()


@pytest.fixture
def running(kept: Platform) -> Platform:
    """That platform, running."""
    if not kept.is_up:
        kept.open()
    return kept


@pytest.fixture
def stopped() -> Iterator[Platform]:
    """A platform that has never been started; nothing of it may be left at the end."""
    with temporary_folder() as folder:
        platform = Platform(folder / "data", pick_free_port())
        yield platform
        assert find_leftovers(platform.folder) == []


def run(*words: str | Path, **environment: str) -> tuple[int, str]:
    """A command of infra.local: its exit code and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", *words],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def supervisor(platform: Platform) -> psutil.Process:
    (found,) = [
        process for process in psutil.Process(platform.up.pid).children() if "supervisor" in process.cmdline()[2]
    ]
    return found


def store(platform: Platform) -> Any:
    return connect(platform.url, platform.secret("s3-access-key"), platform.secret("s3-secret-key"))


def kept_secrets(platform: Platform) -> dict[Path, str]:
    return {path: path.read_text() for path in platform.folder.secrets.rglob("*") if path.is_file()}


def test_it_says_where_everything_is(running: Platform) -> None:
    text = running.output.read_text()
    assert f"{running.url}/" in text
    assert f"aws --endpoint-url {running.url} s3 cp photo.jpg s3://drop/wedding/" in text
    assert str(running.folder.logs) in text
    assert [line.split()[0] for line in text.splitlines() if "ready after" in line][-1] == "connector"
    # A part counts as running when it has lived for a second.
    wait_until(lambda: {each["statename"] for each in supervise.states(running.folder).values()} == {"RUNNING"})
    code, listed = run("status", "--data", running.data)
    assert code == 0
    assert running.url in listed
    assert len(re.findall(r"^  \S+ +running ", listed, re.MULTILINE)) == len(running.all_pids())


def test_it_listens_on_the_loopback_alone(running: Platform) -> None:
    pids = {process.pid for process in find_leftovers(running.folder)}
    listening = [each for each in psutil.net_connections("inet") if each.status == "LISTEN" and each.pid in pids]
    assert len(listening) > len(pids) / 2
    assert {connection.laddr.ip for connection in listening if connection.laddr} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["status", "caddy", "nats"])
def test_what_dies_is_started_again(running: Platform, name: str) -> None:
    before = running.kill(name)
    wait_until(lambda: running.pids(name) not in ([], [before]))
    wait_until(lambda: running.answers("/function/status/0"))


def test_a_second_start_on_the_same_folder_is_refused_in_one_line(running: Platform) -> None:
    code, text = run("up", "--data", running.data, "--port", str(pick_free_port()))
    assert code == 1
    (line,) = text.splitlines()
    assert f"already runs on {running.data} (process {running.up.pid})" in line
    assert "COUNTERMARK_DATA=" in line
    assert running.answers("/healthz")


def test_a_taken_port_is_named_with_who_holds_it(running: Platform, stopped: Platform) -> None:
    code, text = run("up", "--data", stopped.data, "--port", str(running.port))
    assert code == 1
    assert f"Port {running.port} is taken by caddy (process {running.pids('caddy')[0]})" in text.splitlines()[-1]


def test_the_store_drops_uploads_that_nobody_completes_and_deletes_no_object(running: Platform) -> None:
    client = connect(
        f"http://127.0.0.1:{running.ports['s3']}", running.secret("s3-access-key"), running.secret("s3-secret-key")
    )
    for bucket in BUCKETS:
        if running.store == Store.MINIO:  # it does so without a rule
            with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
                client.get_bucket_lifecycle_configuration(Bucket=bucket)
            continue
        (rule,) = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert (rule["Status"], "Expiration" in rule) == ("Enabled", False)
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_a_wrong_setting_is_named_in_one_line(stopped: Platform) -> None:
    code, text = run("up", "--data", stopped.data, "--port", str(stopped.port), JOB_LIFETIME="soon", MAX_FILES="0")
    assert code == 1
    assert "JOB_LIFETIME" in text.splitlines()[-1]
    assert "MAX_FILES" in text.splitlines()[-1]


def test_a_part_that_does_not_start_is_named_with_the_end_of_its_log(stopped: Platform) -> None:
    stopped.data.mkdir()
    (stopped.data / "nats").write_text("no folder for a stream")
    code, text = run("up", "--data", stopped.data, "--port", str(stopped.port))
    assert code == 1
    assert re.search(r"^nats does not start\. The end of .*/nats\.log:$", text, re.MULTILINE)
    assert "storage directory is not a directory" in text


def test_a_server_that_is_given_and_not_there_is_named(stopped: Platform) -> None:
    nowhere = f"postgresql://a:b@127.0.0.1:{pick_free_port()}/c"
    code, text = run("up", "--data", stopped.data, "--port", str(stopped.port), DATABASE_URL=nowhere)
    assert code == 1
    assert text.splitlines()[-1].startswith("DATABASE_URL: nothing answers at 127.0.0.1")


def test_each_process_knows_its_own_secrets_alone(running: Platform) -> None:
    folder = running.folder.secrets
    own = {path.name: {file.name for file in path.iterdir()} for path in folder.iterdir() if path.is_dir()}
    functions = {"upload", "drop", "watermark", "preview", "archive", "expire", "status", "reconcile"}
    programs = configparser.ConfigParser(interpolation=None)
    programs.read(running.folder.configuration / "supervisord.conf")
    assert set(own) == {*functions, "connector"}
    assert own["connector"] == {"nats-url", "webhook-token"}
    for name in functions:
        assert own[name] == {"nats-url", "database-url", "s3-access-key", "s3-secret-key"}
        (told, *_) = [value for key, value in programs.items() if re.fullmatch(rf"program:{name}(-\d+)?", key)]
        assert dict_of_key_value_pairs(told["environment"])["SECRETS_DIR"] == str(folder / name)
    assert len({running.secret(f"{name}/s3-secret-key") for name in functions}) == len(functions)


def test_another_store_on_the_same_folder_is_refused_in_one_line(running: Platform, stopped: Platform) -> None:
    (other,) = set(Store) - {running.store}
    shutil.copytree(running.data / "secrets", stopped.data / "secrets")
    (stopped.data / running.store).mkdir()
    code, text = run("up", "--data", stopped.data, "--port", str(stopped.port), "--store", other)
    assert code == 1
    assert f"STORE={running.store}" in text.splitlines()[-1]
    assert f"COUNTERMARK_DATA={stopped.data}-{other}" in text.splitlines()[-1]
    assert not (stopped.data / other).exists()


def test_postgres_takes_nobody_without_the_password(running: Platform) -> None:
    with pytest.raises(DatabaseError, match="28P01"):
        Connection(DATABASE_USER, host="127.0.0.1", port=running.ports["postgres"], password="guessed", timeout=5)


def test_the_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    code, text = run("doctor", "--data", tmp_path, "--port", str(pick_free_port()))
    assert code == 0, text
    found = {line.split()[1] for line in text.splitlines()}
    assert {"python", "nats", "postgres", os.environ.get("STORE", Store.SEAWEEDFS), "caddy"} <= found


def test_the_demo_tells_of_each_image_and_writes_the_zip(tmp_path: Path) -> None:
    code, told = run("demo", "--target", tmp_path / "demo.zip")
    assert code == 0, told
    names = {path.name for path in (ROOT / "tests" / "photographs").glob("*.jpg")}
    assert set(re.findall(r"^Image     (\S+) done after ", told, re.MULTILINE)) == names
    with zipfile.ZipFile(tmp_path / "demo.zip") as archive:
        assert set(archive.namelist()) == {*names, "report.json"}


def test_given_servers_replace_the_embedded_ones_and_all_else_stops_when_it_is_killed(
    stopped: Platform, running: Platform
) -> None:
    borrowed = {
        "NATS_URL": running.secret("nats-url"),
        "DATABASE_URL": running.secret("database-url"),
        "S3_ENDPOINT": f"http://127.0.0.1:{running.ports['s3']}",
        "S3_ACCESS_KEY": running.secret("s3-access-key"),
        "S3_SECRET_KEY": running.secret("s3-secret-key"),
    }
    borrower = Platform(stopped.data, stopped.port, borrowed)
    borrower.open()
    try:
        assert not {"nats", "postgres", running.store} & set(borrower.all_pids())
        assert borrower.answers("/function/status/" + "0" * 32)
        borrower.up.kill()
        borrower.up.wait()
        wait_until(lambda: find_leftovers(borrower.folder) == [])
    finally:
        borrower.close()
    assert running.answers("/function/status/" + "0" * 32), "what was given is not its to stop"


def test_the_next_start_goes_on_with_the_data(running: Platform) -> None:
    secrets = kept_secrets(running)
    store(running).put_object(Bucket="drop", Key="kept/a.txt", Body=b"kept")
    running.close(signal.SIGTERM)
    running.open()
    assert kept_secrets(running) == secrets
    kept = store(running).get_object(Bucket="drop", Key="kept/a.txt")["Body"].read()
    assert kept == b"kept"


def test_what_a_killed_supervisor_leaves_behind_is_stopped_by_the_next_start(running: Platform) -> None:
    watching = supervisor(running)
    os.kill(running.up.pid, signal.SIGSTOP)  # so that it does not clean up before it is killed
    watching.kill()
    running.up.kill()
    running.up.wait()
    left = {process.pid for process in find_leftovers(running.folder)}
    assert left
    running.open()
    assert "left behind" in running.output.read_text()
    assert not left & {process.pid for process in find_leftovers(running.folder)}


def test_without_its_supervisor_it_ends_and_leaves_nothing(running: Platform) -> None:
    supervisor(running).kill()
    assert running.up.wait(60) == 1
    assert "supervisor ended" in running.output.read_text()
    assert find_leftovers(running.folder) == []


def test_it_can_be_stopped_while_it_starts(stopped: Platform) -> None:
    """The other signals that stop it are heard the same way: tests/local/test_interrupts.py."""
    process = stopped.launch()
    wait_until(lambda: "ready after" in stopped.output.read_text())
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert "Ready" not in stopped.output.read_text()
