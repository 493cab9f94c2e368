"""Lines that would break what the system promises, and the tests that notice each.

The first 17 were built in at once some time ago, and all tests passed.
"""

from dataclasses import dataclass

SQL = "functions/countermark/migrations/0003_functions.sql"
STATEMENTS = "functions/countermark/migrations/0004_statements.sql"
SWEEP = "functions/countermark/migrations/0007_sweep_waits_for_no_image.sql"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One broken place."""

    name: str
    means: str
    """What people would see of it."""
    file: str
    right: str
    """What is there, once; or once after ``after``."""
    broken: str
    tests: tuple[str, ...]
    """Each of them must fail."""
    after: str = ""
    """What comes somewhere before it, once in the file."""


FAULTS = (
    Fault(
        name="an outage counts as an attempt",
        means="A store that is away for a minute fails every image that is being marked.",
        file="functions/watermark/process.py",
        right="counted=not isinstance(error, Unavailable)",
        broken="counted=True",
        tests=("tests/functions/test_watermark.py::test_an_outage_gives_the_image_back_uncounted",),
    ),
    Fault(
        name="what is given up is not reported",
        means="A message that a function refuses is gone, and nobody can look at it.",
        file="infra/connector/delivery.py",
        right='await self.stream.publish(f"dead.{message.subject}", message.data, headers=headers)',
        broken="del headers",
        tests=("tests/connector/test_in_process.py::test_what_a_function_refuses_is_reported_with_the_reason",),
    ),
    Fault(
        name="a message in hand is not kept",
        means="Every image that takes longer than a few seconds is marked twice at once.",
        file="infra/connector/delivery.py",
        right="await message.in_progress()",
        broken="pass",
        tests=("tests/connector/test_in_process.py::test_a_call_that_takes_longer_than_the_stream_waits_is_made_once",),
    ),
    Fault(
        name="the webhook needs no token",
        means="Anybody who reaches the connector can announce objects.",
        file="infra/connector/server.py",
        right="return hmac.compare_digest(shown, expected.encode())",
        broken='return hmac.compare_digest(shown, expected.encode()) or shown != b"x"',
        tests=("tests/connector/test_in_process.py::test_the_webhook_needs_its_token",),
    ),
    Fault(
        name="a job whose ZIP can't be made stays open",
        means="It is archiving for ever, and its images are never deleted.",
        file=SQL,
        after="CREATE FUNCTION release_archive_v1(",
        right="IF released.failures >= p_attempts THEN",
        broken="IF false THEN",
        tests=("tests/jobs/test_archives.py::test_after_some_failed_attempts_the_job_fails_and_its_hour_begins",),
    ),
    Fault(
        name="a lost completion is not sent again",
        means="A job whose message was lost is archiving for ever.",
        file=SQL,
        right="AND (state = 'archiving' AND lease IS NULL OR state = 'expired')",
        broken="AND state = 'expired'",
        tests=("tests/jobs/test_sweeping.py::test_a_completion_whose_message_was_lost_is_sent_again",),
    ),
    Fault(
        name="a lost expiry is not sent again",
        means="The images of a job whose message was lost are never deleted.",
        file=SQL,
        right="AND (state = 'archiving' AND lease IS NULL OR state = 'expired')",
        broken="AND state = 'archiving' AND lease IS NULL",
        tests=("tests/jobs/test_sweeping.py::test_an_expiry_whose_message_was_lost_is_sent_again",),
    ),
    Fault(
        name="jobs that are gone are remembered for ever",
        means="The database grows without end.",
        file="functions/countermark/jobs/sweeping.py",
        right="WHERE state = 'gone' AND expires_at",
        broken="WHERE state = 'going' AND expires_at",
        tests=("tests/jobs/test_sweeping.py::test_what_is_gone_is_remembered_for_a_day",),
    ),
    Fault(
        name="results of deleted jobs stay",
        means="People's pictures are kept though they were told that they are deleted.",
        file=STATEMENTS,
        after="CREATE FUNCTION take_image_v2(",
        right="INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job) ON CONFLICT DO NOTHING;",
        broken="",
        tests=(
            "tests/jobs/test_endings.py::test_everything_of_a_job_goes_and_nothing_of_others",
            "tests/jobs/test_images.py::test_the_object_is_written_down_before_it_is_made",
        ),
    ),
    Fault(
        name="ZIPs of deleted jobs stay",
        means="The same for all pictures of a job.",
        file=STATEMENTS,
        after="CREATE FUNCTION take_archive_v2(",
        right="INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job) ON CONFLICT DO NOTHING;",
        broken="NULL;",
        tests=(
            "tests/jobs/test_endings.py::test_everything_of_a_job_goes_and_nothing_of_others",
            "tests/jobs/test_archives.py::test_a_zip_is_written_down_before_it_is_made",
        ),
    ),
    Fault(
        name="links live for seven days",
        means="Who has a link has the picture, should the store keep it longer than its job.",
        file="functions/status/links.py",
        right="seconds = min(int(left.total_seconds()), own.settings.job_lifetime) if left else",
        broken="seconds = 7 * 24 * 3600 if left else",
        tests=(
            "tests/functions/test_status_links.py::test_a_link_ends_with_its_job",
            "tests/functions/test_status_links.py::test_a_link_lives_no_longer_than_a_job",
        ),
    ),
    Fault(
        name="posted jobs have no limit of bytes",
        means="One caller fills the store.",
        file="functions/upload/posted.py",
        right="if self._bytes > limit:",
        broken="if self._bytes < 0:",
        tests=(
            "tests/functions/test_posted.py::test_a_job_has_no_more_bytes_than_it_may_and_nothing_of_others_is_kept",
        ),
    ),
    Fault(
        name="posted jobs have no limit of files",
        means="One caller fills the database.",
        file="functions/upload/rows.py",
        right="if self.count == most:",
        broken="if self.count < 0:",
        tests=(
            "tests/functions/test_posted.py::test_a_job_has_no_more_files_than_it_may_and_nothing_of_others_is_kept",
        ),
    ),
    Fault(
        name="what was refused is kept",
        means="Pictures of a request that failed stay for an hour, in a job that nobody knows.",
        file="functions/upload/posted.py",
        right="                await self.rows.abandon()",
        broken="                pass",
        tests=(
            "tests/functions/test_posted.py::test_a_request_that_is_refused_leaves_nothing",
            "tests/functions/test_posted.py::test_a_store_that_is_away_leaves_nothing",
        ),
    ),
    Fault(
        name="what has expired is still shown",
        means="A picture can be looked at after the hour that people were told.",
        file="functions/countermark/jobs/rows.py",
        right="return self.state in OVER or bool(self.expires_at and self.expires_at <= self.read_at)",
        broken='return self.state == "gone"',
        tests=(
            "tests/functions/test_preview.py::test_nothing_is_shown_of_a_job_that_has_expired",
            "tests/functions/test_status_links.py::test_nothing_is_given_out_of_a_job_that_has_expired",
        ),
    ),
    Fault(
        name="options of deleted jobs are kept",
        means="A logo or a name in a mark stays in the database for a day.",
        file=SQL,
        right="UPDATE jobs SET state = 'gone', options = '{}', options_etag = NULL,",
        broken="UPDATE jobs SET state = 'gone', options_etag = NULL,",
        tests=("tests/jobs/test_endings.py::test_nothing_of_its_options_is_kept",),
    ),
    Fault(
        name="a silent transaction is never ended",
        means="A host that is lost in the middle of one keeps a job locked for hours.",
        file="functions/countermark/servers/database.py",
        right="BEGIN = \"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'\"",
        broken='BEGIN = "BEGIN"',
        tests=("tests/countermark/test_transactions.py::test_the_server_ends_a_transaction_that_says_nothing",),
    ),
    Fault(
        name="the lease is not looked at in the end",
        means="Who was given up overwrites what is current, and deletes it then.",
        file=STATEMENTS,
        after="CREATE OR REPLACE FUNCTION finish_image_v1(",
        right="AND revision = p_revision AND lease = p_lease AND state = 'waiting'",
        broken="AND revision = p_revision AND state = 'waiting'",
        tests=("tests/jobs/test_images.py::test_whoever_lost_his_lease_has_worked_in_vain",),
    ),
    Fault(
        name="the revision is not looked at in the end",
        means="Options change while an image is marked, and the old mark wins.",
        file=STATEMENTS,
        after="CREATE OR REPLACE FUNCTION finish_image_v1(",
        right="AND revision = p_revision AND lease = p_lease AND state = 'waiting'",
        broken="AND lease = p_lease AND state = 'waiting'",
        tests=("tests/jobs/test_images.py::test_whoever_has_marked_an_older_revision_has_worked_in_vain",),
    ),
    Fault(
        name="a ZIP of an older revision is current",
        means="A file is dropped while the folder is archived, and it is not in the ZIP.",
        file=SQL,
        right="WHERE id = p_job AND state = 'archiving' AND revision = p_revision AND lease = p_lease;",
        broken="WHERE id = p_job;",
        tests=("tests/jobs/test_archives.py::test_a_zip_of_what_went_on_is_out_of_date",),
    ),
    Fault(
        name="an image that somebody has is taken by another",
        means="A message that comes twice takes two processors, and the first one works in vain.",
        file=STATEMENTS,
        after="CREATE FUNCTION take_image_v2(",
        right="AND (lease IS NULL OR lease = p_lease)\n        RETURNING name",
        broken="RETURNING name",
        tests=("tests/jobs/test_images.py::test_an_image_that_somebody_has_is_left_to_him",),
    ),
    Fault(
        name="what was made in vain stays",
        means="Every late attempt leaves a picture in the store until its job expires.",
        file="functions/watermark/process.py",
        right="own.objects.delete(RESULTS, [taken.result_key])",
        broken="del name",
        tests=(
            "tests/functions/test_watermark.py::test_who_worked_in_vain_deletes_what_he_made_and_nothing_else",
            "tests/functions/test_watermark.py::test_a_job_that_is_deleted_meanwhile_gets_nothing",
        ),
    ),
    Fault(
        name="the rows are asked first and the store listed then",
        means="A result that is stored in between is deleted, though it is current.",
        file="functions/reconcile/store.py",
        right="unknown = sorted(set(keys) - comparing.known_keys(own, bucket, keys))",
        broken="known = comparing.known_keys(own, bucket, keys)\n"
        "    unknown = sorted({item.key for item in own.objects.list(bucket)} - known - {MARKER})",
        tests=("tests/functions/test_reconcile.py::test_what_is_written_while_the_store_is_listed_stays",),
    ),
    Fault(
        name="an owner has the whole line",
        means="One job of ten thousand images makes everybody wait for a quarter of an hour.",
        file=SQL,
        right="SELECT p_share - count(*) INTO credit FROM images",
        broken="SELECT p_share + count(*) INTO credit FROM images",
        tests=("tests/jobs/test_shares.py::test_an_owner_has_no_more_than_his_share_in_line",),
    ),
    Fault(
        name="a power cut counts as an attempt",
        means="Some outages in a row fail images that nothing is wrong with.",
        file=SWEEP,
        right="was_gap := gap > make_interval(secs => p_period * 3);",
        broken="was_gap := false;",
        tests=("tests/jobs/test_sweeping.py::test_in_a_gap_the_clocks_stand_still",),
    ),
    Fault(
        name="a file that was dropped since is deleted",
        means="Somebody drops a file while the folder's former job expires, and it is gone unmarked.",
        file="functions/countermark/jobs/endings.py",
        right="own.objects.delete_if(DROP, place, etag, time=stored_at)",
        broken="own.objects.delete(DROP, [place])",
        tests=(
            "tests/jobs/test_endings.py::test_a_file_that_was_dropped_since_stays",
            "tests/jobs/test_endings.py::test_what_was_dropped_since_as_it_was_stays",
        ),
    ),
    Fault(
        name="a file that was taken out stays in the ZIP",
        means="Somebody takes a picture back, and it is given away all the same.",
        file=STATEMENTS,
        after="CREATE OR REPLACE FUNCTION remove_images_v1(",
        right="AND images.state IN ('done', 'failed')",
        broken="AND images.state = 'failed'",
        tests=(
            "tests/functions/test_archive.py::test_files_that_were_taken_out_of_the_folder_are_not_in_its_zip",
            "tests/jobs/test_archives.py::test_files_that_were_taken_out_leave_the_job",
        ),
    ),
    Fault(
        name="a message is not written with its change",
        means="A process dies after a commit, and nobody is told; only the sweep's second net is left.",
        file=STATEMENTS,
        right="INSERT INTO outbox (subject, data) VALUES (p_subject, p_data || '{\"version\": 1}')"
        " RETURNING id, subject, data INTO written;",
        broken="SELECT 0 AS id, p_subject AS subject, p_data || '{\"version\": 1}' AS data INTO written;",
        tests=(
            "tests/jobs/test_outbox.py::test_what_is_not_sent_stays_and_the_change_is_done",
            "tests/jobs/test_outbox.py::test_the_sweep_sends_what_nobody_has_sent",
        ),
    ),
    Fault(
        name="names are not reserved when a format changes",
        means="IMG_1.HEIC and IMG_1.jpg become one file, and a picture is lost.",
        file=STATEMENTS,
        right="its_name := reserve_name_v1(p_job, p_number, p_name, p_base, p_suffix, p_flat,\n"
        "                                p_folded, p_folded_base, p_folded_suffix, p_folded_flat);",
        broken="its_name := p_name; UPDATE images SET result_name = p_name WHERE job_id = p_job AND number = p_number;",
        tests=("tests/jobs/test_images.py::test_results_of_one_name_are_two_files",),
    ),
    Fault(
        name="waiting in line has a deadline",
        means="When many wait, jobs fail that nothing is wrong with.",
        file=STATEMENTS,
        after="CREATE OR REPLACE FUNCTION settle_job_v1(",
        right="WHERE job_id = p_job AND state = 'expected';",
        broken="WHERE job_id = p_job AND state IN ('expected', 'waiting');",
        tests=("tests/jobs/test_sweeping.py::test_waiting_in_line_has_no_deadline",),
    ),
    Fault(
        name="an end is not counted",
        means="The page says for ever that images wait.",
        file=STATEMENTS,
        right="settle_v2(p_job, p_share, 1, 0, 0)",
        broken="settle_v2(p_job, p_share, 0, 0, 0)",
        tests=("tests/functions/test_status_links.py::test_a_job_is_told",),
    ),
    Fault(
        name="who has lost the answer has lost the image",
        means="Nobody works on an image until its lease lapses, and that counts as a failed attempt.",
        file=STATEMENTS,
        after="CREATE FUNCTION take_image_v2(",
        right="AND (lease IS NULL OR lease = p_lease)\n        RETURNING name",
        broken="AND lease IS NULL\n        RETURNING name",
        tests=("tests/jobs/test_sharing.py::test_who_has_lost_the_answer_has_what_he_took",),
    ),
)
