"""Links to what was made of a job: to the right object, by its name, and not for longer than the job lives."""

import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from countermark.jobs import archives, endings, images
from countermark.jobs.opening import NewJob
from countermark.services import Services
from flask.testing import FlaskClient

from functions.status import handler
from tests.functions.conftest import ClientOf, Objects
from tests.jobs.made import change, dropped, folder_job, image_row, job_row, marked, taken, uploaded, value


@pytest.fixture
def client(client_of: ClientOf) -> FlaskClient:
    """Calls the function."""
    return client_of(handler)


def ready(own: Services) -> Any:
    """A job with its ZIP, two images of which the second failed."""
    job = uploaded(own, "x/a.heic", "b.png")
    marked(own, job.id, 1, name="x/a.jpg")
    images.fail(own, taken(own, job.id, 2), "bad", "It is none.")
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    assert archives.finish(own, archiving, 77)
    return job


def test_a_zip_is_downloaded_by_its_name(own: Services, client: FlaskClient, store: Objects) -> None:
    job = ready(own)
    answer = client.get(f"/{job.token}/archive", headers={"Host": "countermark.example"})
    row = job_row(own, job.id)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"http://countermark.example/results/{row.archive_key}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (link,) = store.links
    assert (link["bucket"], link["key"], link["inline"]) == ("results", row.archive_key, False)
    assert link["name"] == f"countermark-{row.created_at:%Y-%m-%d-%H%M}.zip"


def test_a_folders_zip_has_the_folders_name(own: Services, client: FlaskClient, store: Objects) -> None:
    for key in ("wedding/a.png", "b.png"):
        dropped(own, key)
    change(own, "UPDATE jobs SET state = 'ready', archive_key = 'x', expires_at = now() + interval '1 hour'")
    for folder in ("wedding", ""):
        assert client.get(f"/{folder_job(own, folder).token}/archive").status_code == 302
    assert [link["name"] for link in store.links] == ["wedding.zip", "drop.zip"]


def test_an_image_is_shown_or_downloaded(own: Services, client: FlaskClient, store: Objects) -> None:
    job = ready(own)
    assert client.get(f"/{job.token}/images/1").status_code == 302
    assert client.get(f"/{job.token}/images/1?download").status_code == 302
    image = image_row(own, job.id)
    assert [(link["bucket"], link["key"], link["name"], link["inline"]) for link in store.links] == [
        ("results", image.result_key, "a.jpg", True),
        ("results", image.result_key, "a.jpg", False),
    ]


def test_an_original_is_shown(own: Services, client: FlaskClient, store: Objects) -> None:
    job = ready(own)
    assert client.get(f"/{job.token}/images/1/original").status_code == 302
    (link,) = store.links
    image = image_row(own, job.id)
    assert (link["bucket"], link["key"], link["name"], link["inline"]) == ("uploads", image.key, "a.heic", True)


def test_a_link_ends_with_its_job(own: Services, client: FlaskClient, store: Objects) -> None:
    job = ready(own)
    change(own, "UPDATE jobs SET expires_at = now() + interval '10 minutes'")
    for path in ("archive", "images/1", "images/1/original"):
        assert client.get(f"/{job.token}/{path}").status_code == 302
    assert [link["seconds"] for link in store.links] == [pytest.approx(600, abs=5)] * 3


def test_a_link_lives_no_longer_than_a_job(own: Services, client: FlaskClient, store: Objects) -> None:
    job = ready(own)
    client.get(f"/{job.token}/images/1/original")
    change(own, "UPDATE jobs SET expires_at = now() + interval '7 days'")
    client.get(f"/{job.token}/images/1/original")
    change(own, "UPDATE jobs SET expires_at = NULL, state = 'processing'")
    client.get(f"/{job.token}/images/1/original")
    lifetime = own.settings.job_lifetime
    assert [link["seconds"] for link in store.links] == [pytest.approx(lifetime, abs=5), lifetime, lifetime]


@pytest.mark.parametrize(
    ("path", "code"),
    [("images/2", "not_ready"), ("images/3", "not_found"), ("images/3/original", "not_found"), ("other", "not_found")],
)
def test_what_is_not_there_has_no_link(own: Services, client: FlaskClient, path: str, code: str) -> None:
    answer = client.get(f"/{ready(own).token}/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, code)  # type: ignore[index]


@pytest.mark.parametrize("state", ["receiving", "processing", "archiving"])
def test_a_zip_has_a_link_when_its_job_has_ended(own: Services, client: FlaskClient, state: str) -> None:
    job = ready(own)
    change(own, "UPDATE jobs SET state = :state", state=state)
    assert client.get(f"/{job.token}/archive").json["code"] == "not_ready"  # type: ignore[index]
    change(own, "UPDATE jobs SET state = 'failed'")
    assert client.get(f"/{job.token}/archive").status_code == 302
    change(own, "UPDATE jobs SET archive_key = NULL")
    assert client.get(f"/{job.token}/archive").json["code"] == "not_ready"  # type: ignore[index]


@pytest.mark.parametrize("end", ["state = 'expired'", "expires_at = now()", "state = 'gone'"])
@pytest.mark.parametrize("path", ["", "/archive", "/images/1", "/images/1/original"])
def test_nothing_is_given_out_of_a_job_that_has_expired(
    own: Services, client: FlaskClient, end: str, path: str
) -> None:
    job = ready(own)
    change(own, f"UPDATE jobs SET {end}")
    assert client.get(f"/{job.token}{path}").status_code == 410


@pytest.mark.parametrize("hours", [-24, 24])
def test_the_clock_of_a_host_does_not_matter(
    own: Services, client: FlaskClient, store: Objects, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    job = ready(own)
    for name, module in list(sys.modules.items()):
        if name.startswith(("countermark.", "functions.")) and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Wrong)
    answer = client.get(f"/{job.token}")
    assert answer.status_code == 200
    now = datetime.fromisoformat(answer.json["now"])  # type: ignore[index]
    assert abs(now - value(own, "SELECT now()")) < timedelta(seconds=5)
    for path in ("archive", "images/1", "images/1/original"):
        assert client.get(f"/{job.token}/{path}").status_code == 302
    assert [link["seconds"] for link in store.links] == [pytest.approx(own.settings.job_lifetime, abs=5)] * 3
    change(own, "UPDATE jobs SET expires_at = now()")
    assert client.get(f"/{job.token}/archive").status_code == 410


# ---- the document -------------------------------------------------------------------------------------------------


def test_a_job_is_told(own: Services, client: FlaskClient) -> None:
    job = ready(own)
    answer = client.get(f"/{job.token}")
    told: Any = answer.json
    row, image = job_row(own, job.id), image_row(own, job.id)
    assert {
        name: told[name] for name in ("job", "state", "source", "reason", "total", "waiting", "done", "failed")
    } == {
        "job": job.token,
        "state": "ready",
        "source": "upload",
        "reason": None,
        "total": 2,
        "waiting": 0,
        "done": 1,
        "failed": 1,
    }
    assert told["archive"] == {
        "url": f"/job/{job.token}/archive",
        "bytes": 77,
        "name": f"countermark-{row.created_at:%Y-%m-%d-%H%M}.zip",
    }
    assert told["created_at"] == row.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert told["ready_at"].endswith("Z")
    assert told["ready_at"] < told["expires_at"]
    assert told["created_at"] <= told["now"] < told["expires_at"]
    assert told["images"] == [
        {
            "number": 1,
            "name": "x/a.heic",
            "state": "done",
            "code": None,
            "reason": None,
            "bytes": 100,
            "result": {
                "url": f"/job/{job.token}/images/1",
                "name": "x/a.jpg",
                "bytes": image.result_bytes,
                "width": 16,
                "height": 16,
                "format": "png",
                "notes": [],
            },
        },
        {
            "number": 2,
            "name": "b.png",
            "state": "failed",
            "code": "bad",
            "reason": "It is none.",
            "bytes": image_row(own, job.id, 2).bytes,
            "result": None,
        },
    ]
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.content_type == "application/json"


def test_a_job_that_is_worked_on_is_told(own: Services, client: FlaskClient) -> None:
    job = uploaded(own, "a.png", "b.png", "c.png")
    change(own, "UPDATE images SET lease = 'x' WHERE number = 1")
    change(own, "UPDATE images SET state = 'expected' WHERE number = 2")
    told: Any = client.get(f"/{job.token}").json
    assert [image["state"] for image in told["images"]] == ["working", "waiting", "waiting"]
    assert (told["state"], told["waiting"], told["archive"], told["ready_at"]) == ("processing", 3, None, None)


def test_what_is_wrong_with_a_folders_options_is_told(own: Services, client: FlaskClient) -> None:
    own.objects.write("drop", "w/countermark.json", b"{", "application/json")
    dropped(own, "w/a.png")
    job = folder_job(own, "w")
    assert client.get(f"/{job.token}").json["reason"] == job.options_problem  # type: ignore[index]
    change(own, "UPDATE jobs SET reason = 'another'")
    assert client.get(f"/{job.token}").json["reason"] == "another"  # type: ignore[index]


def test_fewer_images_can_be_asked_for(own: Services, client: FlaskClient) -> None:
    job = ready(own)
    for which, numbers in {"all": [1, 2], "failed": [2], "none": []}.items():
        told: Any = client.get(f"/{job.token}", query_string={"images": which}).json
        assert [image["number"] for image in told["images"]] == numbers
        assert told["total"] == 2
    for first, numbers in {"0": [], "1": [1], "2": [1, 2], "9" * 99: [1, 2]}.items():
        told = client.get(f"/{job.token}", query_string={"first": first}).json
        assert [image["number"] for image in told["images"]] == numbers
    answer = client.get(f"/{job.token}", query_string={"images": "some"})
    assert answer.status_code == 400
    assert "images must be one of all, failed, none" in answer.text
    for first in ("", "-1", "one", "²"):
        answer = client.get(f"/{job.token}", query_string={"first": first})
        assert answer.status_code == 400
        assert "first must be a number" in answer.text


def test_to_ask_again_is_cheap(own: Services, client: FlaskClient) -> None:
    job = uploaded(own, "a.png", "b.png")
    etag = client.get(f"/{job.token}").headers["ETag"]
    again = client.get(f"/{job.token}", headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Cache-Control"] == "private, no-cache"
    for other in ("images=none", "first=1"):
        assert client.get(f"/{job.token}?{other}", headers={"If-None-Match": etag}).status_code == 200
    first = taken(own, job.id)
    etag = changed(client, job, etag)
    images.release(own, job.id, 1, first.lease, counted=False)
    etag = changed(client, job, etag)
    marked(own, job.id)
    etag = changed(client, job, etag)
    images.fail(own, taken(own, job.id, 2), "bad", "It is none.")
    etag = changed(client, job, etag)
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    assert archives.finish(own, archiving, 77)
    changed(client, job, etag)
    endings.expire(own, job.id, at_once=True)
    assert client.get(f"/{job.token}", headers={"If-None-Match": etag}).status_code == 410


def changed(client: FlaskClient, job: NewJob, etag: str) -> str:
    """Asked again, a job is told with another ETag."""
    answer = client.get(f"/{job.token}", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag
    return str(answer.headers["ETag"])


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_browser_sees_a_page(own: Services, client: FlaskClient, language: str) -> None:
    job = ready(own)
    answer = client.get(f"/{job.token}?language={language}", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}"' in answer.text
    assert "a.heic" in answer.text or "a.jpg" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept, Accept-Language, Cookie"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Robots-Tag"] == "noindex"


def test_only_reading_is_possible(own: Services, client: FlaskClient) -> None:
    job = ready(own)
    assert client.head(f"/{job.token}").status_code == 200
    assert {client.open(f"/{job.token}", method=method).status_code for method in ("POST", "PUT", "DELETE")} == {405}


def test_a_page_is_as_large_for_any_job(own: Services, client: FlaskClient) -> None:
    """Also for one whose images have all failed, each of which has a reason."""
    sizes = {}
    for count in (300, 900):
        job = uploaded(own, *(f"{number:04}.png" for number in range(count)))
        change(own, f"UPDATE images SET state = 'failed', code = 'bad', reason = 'Bad.' WHERE job_id = '{job.id}'")
        change(
            own,
            f"UPDATE jobs SET state = 'failed', done = 0, failed = total, expires_at = now() + interval '1 hour'"
            f" WHERE id = '{job.id}'",
        )
        page = client.get(f"/{job.token}", headers={"Accept": "text/html"}).text
        assert f"{count} images were not marked" in page
        sizes[count] = len(page)
    assert abs(sizes[900] - sizes[300]) < 100
