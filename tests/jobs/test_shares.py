"""Every owner has a share of the line, counted from the rows, and the lowest numbers go first."""

from countermark.jobs import endings, images
from countermark.services import Services

from tests.jobs.made import ALICE, BOB, arrived, change, dropped, marked, opened, rows, sent, taken, uploaded, value


def in_line(own: Services, owner: str = ALICE) -> list[tuple[str, int]]:
    """Job and number of an owner's images that are in line."""
    found = rows(own, "SELECT job_id, number FROM images WHERE owner = :owner AND in_line ORDER BY 1, 2", owner=owner)
    return [(job, number) for job, number in found]


def test_an_owner_has_no_more_than_his_share_in_line(own: Services) -> None:
    share = own.settings.line_share
    jobs = [uploaded(own, *["a.png"] * (share + 1)) for _ in range(3)]
    assert len(in_line(own)) == share
    assert sent(own, "images.") == sorted(f"images.waiting.{jobs[0].id}.{n}.1" for n in range(1, share + 1))


def test_others_do_not_wait_behind_him(own: Services) -> None:
    uploaded(own, *["a.png"] * 5)
    job = uploaded(own, "b.png", owner=BOB)
    assert in_line(own, BOB) == [(job.id, 1)]


def test_when_one_ends_the_next_goes_out(own: Services) -> None:
    job = uploaded(own, *["a.png"] * 4)
    marked(own, job.id, 1)
    assert in_line(own) == [(job.id, 2), (job.id, 3)]
    images.fail(own, taken(own, job.id, 3), "bad_image", "It is none.")
    assert in_line(own) == [(job.id, 2), (job.id, 4)]
    assert f"images.waiting.{job.id}.4.1" in sent(own)


def test_the_lowest_number_goes_first_over_all_his_jobs(own: Services) -> None:
    large = uploaded(own, *["a.png"] * 5)
    small = uploaded(own, "b.png")
    marked(own, large.id, 1)
    assert in_line(own) == sorted([(large.id, 2), (small.id, 1)])


def test_what_is_taken_uses_its_share(own: Services) -> None:
    job = uploaded(own, *["a.png"] * 3)
    taken(own, job.id, 1)
    assert len(in_line(own)) == own.settings.line_share


def test_a_job_that_ends_gives_its_places_to_the_owners_others(own: Services) -> None:
    first, second = uploaded(own, *["a.png"] * 3), uploaded(own, *["a.png"] * 3)
    endings.expire(own, first.id, at_once=True)
    assert in_line(own) == [(second.id, 1), (second.id, 2)]
    assert f"images.waiting.{second.id}.1.1" in sent(own)


def test_what_waits_in_a_job_that_has_ended_is_not_sent(own: Services) -> None:
    job = uploaded(own, "a.png")
    change(own, "UPDATE images SET in_line = false")
    change(own, "UPDATE jobs SET state = 'expired'")
    other = uploaded(own, "b.png")
    assert in_line(own) == [(other.id, 1)]
    assert value(own, "SELECT in_line FROM images WHERE job_id = :job", job=job.id) is False


def test_an_image_waits_from_its_arrival_on(own: Services) -> None:
    job = opened(own, "a.png", "b.png")
    assert in_line(own) == []
    assert arrived(own, job, 2) == "arrived"
    assert in_line(own) == [(job.id, 2)]
    assert sent(own) == [f"images.waiting.{job.id}.2.1"]


def test_a_drop_folder_is_an_owner(own: Services) -> None:
    for number in range(4):
        dropped(own, f"wedding/{number}.png")
    assert len(in_line(own, "drop:wedding")) == own.settings.line_share


def test_a_message_says_which_image_it_is_of(own: Services) -> None:
    job = uploaded(own, "a.png")
    ((_, messages),) = own.publisher.messages.items()  # type: ignore[attr-defined]
    assert messages == [{"version": 1, "job": job.id, "number": 1, "revision": 1}]
