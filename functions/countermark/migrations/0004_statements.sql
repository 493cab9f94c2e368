-- Steps in one statement each, which may all be asked again: whoever lost an answer asks the same once more and gets it.

-- A job knows how many images it has and how many have ended, so that nobody counts them. Images change their state under
-- the lock of their job, and so do these. The older functions below that end images count now; to callers they are as before.
ALTER TABLE jobs
    ADD COLUMN total  integer NOT NULL DEFAULT 0,      -- images that have not left the job
    ADD COLUMN done   integer NOT NULL DEFAULT 0,
    ADD COLUMN failed integer NOT NULL DEFAULT 0;

UPDATE jobs SET total = counted.total, done = counted.done, failed = counted.failed FROM (
    SELECT job_id, count(*) FILTER (WHERE state <> 'removed') AS total, count(*) FILTER (WHERE state = 'done') AS done,
        count(*) FILTER (WHERE state = 'failed') AS failed
    FROM images GROUP BY job_id
) AS counted WHERE id = job_id;

-- What works on images at the moment is few; it is found by its job, and a lease that is renewed changes no index.
DROP INDEX images_leases;
CREATE INDEX images_leased ON images (job_id, number) WHERE lease IS NOT NULL;

-- A page lists those that failed.
CREATE INDEX images_failed ON images (job_id, number) WHERE state = 'failed';

-- Whoever takes what a message asks for takes it out of the outbox.
CREATE INDEX outbox_subject ON outbox (subject text_pattern_ops);

-- Add images to a job that receives; their objects come after this. Each name comes in eight parts, as reserve_name_v1
-- takes them. False: the job takes no images (any more).
CREATE FUNCTION add_images_v2(
    p_job text, p_numbers integer[], p_names text[], p_bases text[], p_suffixes text[], p_flats text[], p_folded text[],
    p_folded_bases text[], p_folded_suffixes text[], p_folded_flats text[], p_bucket text, p_keys text[], p_sizes bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
    new record;
BEGIN
    UPDATE jobs SET progress_at = now() WHERE id = p_job AND state = 'receiving' RETURNING owner INTO its_owner;
    IF NOT FOUND THEN
        RETURN EXISTS (SELECT FROM images WHERE job_id = p_job AND number = p_numbers[1] AND key = p_keys[1]);
    END IF;
    INSERT INTO images (job_id, number, owner, name, result_name, folded_name, bucket, key, bytes)
        SELECT p_job, number, its_owner, name, name, '/' || number, p_bucket, key, size
        FROM unnest(p_numbers, p_names, p_keys, p_sizes) AS added (number, name, key, size)
        ON CONFLICT (job_id, number) DO NOTHING;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    FOR new IN
        SELECT * FROM unnest(p_numbers, p_names, p_bases, p_suffixes, p_flats,
                             p_folded, p_folded_bases, p_folded_suffixes, p_folded_flats)
            AS added (number, name, base, suffix, flat, folded, folded_base, folded_suffix, folded_flat)
    LOOP
        PERFORM reserve_name_v1(p_job, new.number, new.name, new.base, new.suffix, new.flat,
                                new.folded, new.folded_base, new.folded_suffix, new.folded_flat);
    END LOOP;
    INSERT INTO ledger (bucket, key, job_id) SELECT p_bucket, key, p_job FROM unnest(p_keys) key;
    UPDATE jobs SET total = total + cardinality(p_numbers) WHERE id = p_job;
    RETURN true;
END $$;

-- Begin a job that receives, with its first images; with p_seal they are all. It is the caller who makes the ids, and who
-- asks a second time after an answer that was lost.
CREATE FUNCTION open_job_v1(
    p_job text, p_token text, p_owner text, p_options jsonb, p_seal boolean, p_numbers integer[], p_names text[],
    p_bases text[], p_suffixes text[], p_flats text[], p_folded text[], p_folded_bases text[], p_folded_suffixes text[],
    p_folded_flats text[], p_bucket text, p_keys text[], p_sizes bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs (id, token, source, owner, state, options)
        VALUES (p_job, p_token, 'upload', p_owner, 'receiving', p_options) ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF cardinality(p_numbers) > 0 THEN
        PERFORM add_images_v2(p_job, p_numbers, p_names, p_bases, p_suffixes, p_flats, p_folded, p_folded_bases,
                              p_folded_suffixes, p_folded_flats, p_bucket, p_keys, p_sizes);
    END IF;
    IF p_seal THEN
        UPDATE jobs SET state = 'processing' WHERE id = p_job;
    END IF;
END $$;

-- Originals are stored; with p_seal they were the last. "gone": the job takes none any more, or has ended.
CREATE FUNCTION arrive_v2(
    p_job text, p_numbers integer[], p_etags text[], p_sizes bigint[], p_seal boolean, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
    arrived integer[];
    outcomes jsonb;
    messages jsonb := '[]';
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    IF NOT FOUND THEN
        SELECT jsonb_object_agg(number, 'gone') INTO outcomes FROM unnest(p_numbers) number;
        RETURN jsonb_build_object('outcomes', coalesce(outcomes, '{}'), 'messages', messages);
    END IF;
    WITH now_there AS (
        UPDATE images SET state = 'waiting', etag = came.etag, bytes = came.size, updated_at = now()
            FROM unnest(p_numbers, p_etags, p_sizes) AS came (number, etag, size)
            WHERE images.job_id = p_job AND images.number = came.number AND state = 'expected' RETURNING images.number
    )
    SELECT coalesce(array_agg(number), '{}') INTO arrived FROM now_there;
    SELECT jsonb_object_agg(came.number, CASE WHEN came.number = ANY (arrived) THEN 'arrived'
                                              WHEN code = 'not_uploaded' THEN 'late' ELSE 'known' END)
        INTO outcomes FROM unnest(p_numbers) AS came (number)
        LEFT JOIN images ON images.job_id = p_job AND images.number = came.number;
    IF p_seal OR cardinality(arrived) > 0 THEN
        UPDATE jobs SET progress_at = CASE WHEN cardinality(arrived) > 0 THEN now() ELSE progress_at END,
            state = CASE WHEN p_seal THEN 'processing' ELSE state END WHERE id = p_job;
    END IF;
    IF p_seal THEN
        messages := count_v1(p_job, 0, 0, 0);
    END IF;
    IF cardinality(arrived) > 0 THEN
        messages := messages || refill_v1(its_owner, p_share);
    END IF;
    RETURN jsonb_build_object('outcomes', coalesce(outcomes, '{}'), 'messages', messages);
END $$;

CREATE FUNCTION taken_out_v1(p_subject text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM outbox WHERE subject ~>=~ p_subject AND subject ~<~ (p_subject || '/') -- it, and it with more parts
$$;

-- So many more images of a job are done, failed, or in it at all. After the last one its ZIP is made. The job must be locked.
CREATE FUNCTION count_v1(p_job text, p_done integer, p_failed integer, p_total integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_revision integer;
BEGIN
    IF EXISTS (SELECT FROM images WHERE job_id = p_job AND state IN ('expected', 'waiting')) THEN
        UPDATE jobs SET done = done + p_done, failed = failed + p_failed, total = total + p_total WHERE id = p_job;
        RETURN '[]';
    END IF;
    UPDATE jobs SET done = done + p_done, failed = failed + p_failed, total = total + p_total,
        state = CASE state WHEN 'processing' THEN 'archiving' ELSE state END,
        lease = CASE state WHEN 'processing' THEN NULL ELSE lease END,
        failures = CASE state WHEN 'processing' THEN 0 ELSE failures END,
        sent_at = CASE state WHEN 'processing' THEN now() ELSE sent_at END
        WHERE id = p_job RETURNING CASE WHEN state = 'archiving' THEN revision END INTO its_revision;
    IF its_revision IS NULL THEN
        RETURN '[]';
    END IF;
    RETURN send_v1(format('jobs.complete.%s.%s', p_job, its_revision),
                   jsonb_build_object('job', p_job, 'revision', its_revision));
END $$;

-- The same, and the owner's next images.
CREATE FUNCTION settle_v2(p_job text, p_share integer, p_done integer, p_failed integer, p_total integer) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    messages jsonb := count_v1(p_job, p_done, p_failed, p_total);
BEGIN
    RETURN messages || refill_v1((SELECT owner FROM jobs WHERE id = p_job), p_share);
END $$;

CREATE OR REPLACE FUNCTION settle_v1(p_job text, p_share integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT settle_v2(p_job, p_share, 0, 0, 0)
$$;

CREATE OR REPLACE FUNCTION add_images_v1(
    p_job text, p_numbers integer[], p_names text[], p_bases text[], p_suffixes text[], p_flats text[], p_folded text[],
    p_folded_bases text[], p_folded_suffixes text[], p_folded_flats text[], p_bucket text, p_keys text[], p_sizes bigint[]
) RETURNS boolean LANGUAGE sql AS $$
    SELECT add_images_v2(p_job, p_numbers, p_names, p_bases, p_suffixes, p_flats, p_folded, p_folded_bases,
                         p_folded_suffixes, p_folded_flats, p_bucket, p_keys, p_sizes)
$$;

CREATE OR REPLACE FUNCTION fail_expected_v1(p_job text, p_numbers integer[], p_code text, p_reason text, p_share integer)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    count integer;
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('count', 0, 'messages', '[]'::jsonb);
    END IF;
    UPDATE images SET state = 'failed', code = p_code, reason = p_reason, updated_at = now()
        WHERE job_id = p_job AND number = ANY (p_numbers) AND state = 'expected';
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN jsonb_build_object('count', count, 'messages', settle_v2(p_job, p_share, 0, count, 0));
END $$;

-- Take an image to work on it: the lease, and the ledger's row of the object that will be made. NULL: there is nothing
-- to do (any more), or another function has it.
CREATE FUNCTION take_image_v2(
    p_job text, p_number integer, p_revision integer, p_lease text, p_seconds integer, p_key text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its record;
    taken record;
BEGIN
    PERFORM taken_out_v1(format('images.waiting.%s.%s.%s', p_job, p_number, p_revision));
    SELECT source, folder, options_hash, options_problem INTO its
        FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE images SET lease = p_lease, lease_until = now() + make_interval(secs => p_seconds), excused = false, in_line = true,
        updated_at = now()
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND state = 'waiting'
        AND (lease IS NULL OR lease = p_lease)
        RETURNING name, bucket, key, etag INTO taken;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job) ON CONFLICT DO NOTHING;
    RETURN to_jsonb(taken) || to_jsonb(its);
END $$;

CREATE OR REPLACE FUNCTION finish_image_v1(
    p_job text, p_number integer, p_revision integer, p_lease text, p_bytes bigint,
    p_result_key text, p_result_bytes bigint, p_format text, p_width integer, p_height integer,
    p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text, p_view text, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_name text;
    is_alive boolean;
BEGIN
    SELECT state IN ('receiving', 'processing') INTO is_alive FROM jobs WHERE id = p_job FOR UPDATE;
    UPDATE images SET state = 'done', lease = NULL, lease_until = NULL, in_line = false, failures = 0, code = NULL,
        reason = NULL, bytes = p_bytes, result_key = p_result_key, result_bytes = p_result_bytes, view_etag = NULL,
        format = p_format, width = p_width, height = p_height, updated_at = now()
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND lease = p_lease AND state = 'waiting'
        AND is_alive;
    IF NOT FOUND THEN
        -- Asked a second time, after an answer that was lost, it is still the holder's end.
        SELECT result_name INTO its_name FROM images WHERE job_id = p_job AND number = p_number AND result_key = p_result_key;
        RETURN jsonb_build_object('name', its_name, 'messages', '[]'::jsonb);
    END IF;
    its_name := reserve_name_v1(p_job, p_number, p_name, p_base, p_suffix, p_flat,
                                p_folded, p_folded_base, p_folded_suffix, p_folded_flat);
    IF p_view IS NOT NULL THEN
        INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_view || its_name, p_job) ON CONFLICT DO NOTHING;
    END IF;
    RETURN jsonb_build_object('name', its_name, 'messages', settle_v2(p_job, p_share, 1, 0, 0));
END $$;

CREATE OR REPLACE FUNCTION fail_image_v1(
    p_job text, p_number integer, p_revision integer, p_lease text, p_state text, p_code text, p_reason text, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    is_removed boolean := p_state = 'removed';
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    UPDATE images SET state = p_state, lease = NULL, lease_until = NULL, in_line = false, code = p_code,
        reason = p_reason, updated_at = now(),
        folded_name = CASE WHEN is_removed THEN '/' || number ELSE folded_name END,
        name_base = CASE WHEN is_removed THEN NULL ELSE name_base END
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND lease = p_lease AND state = 'waiting'
        AND EXISTS (SELECT FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing'));
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    RETURN jsonb_build_object('messages', settle_v2(p_job, p_share, 0, 1 - is_removed::integer, -is_removed::integer));
END $$;

CREATE OR REPLACE FUNCTION renew_revision_v1(p_job text, p_numbers integer[]) RETURNS void LANGUAGE sql AS $$
    WITH renewed AS (
        UPDATE images SET state = 'waiting', revision = images.revision + 1, lease = NULL, lease_until = NULL, in_line = false,
            failures = 0, code = NULL, reason = NULL, result_key = NULL, view_etag = NULL, updated_at = now()
            FROM images AS old
            WHERE images.job_id = p_job AND images.number = ANY (p_numbers)
            AND old.job_id = p_job AND old.number = images.number
            RETURNING old.state
    )
    UPDATE jobs SET total = jobs.total + counted.removed, done = jobs.done - counted.done, failed = jobs.failed - counted.failed FROM (
        SELECT count(*) FILTER (WHERE state = 'removed') AS removed, count(*) FILTER (WHERE state = 'done') AS done,
            count(*) FILTER (WHERE state = 'failed') AS failed
        FROM renewed
    ) AS counted WHERE id = p_job
$$;

CREATE OR REPLACE FUNCTION release_image_v1(
    p_job text, p_number integer, p_lease text, p_counted boolean, p_resend boolean, p_attempts integer, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    released images;
BEGIN
    PERFORM FROM jobs WHERE id = p_job FOR UPDATE;
    UPDATE images SET lease = NULL, lease_until = NULL, failures = failures + (p_counted AND NOT excused)::integer,
        sent_at = now(), updated_at = now()
        WHERE job_id = p_job AND number = p_number AND lease = p_lease RETURNING * INTO released;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('outcome', 'stale', 'messages', '[]'::jsonb);
    END IF;
    IF released.failures >= p_attempts THEN
        UPDATE images SET state = 'failed', in_line = false, code = 'given_up',
            reason = 'It could not be processed, even after several attempts.'
            WHERE job_id = p_job AND number = p_number;
        RETURN jsonb_build_object('outcome', 'given_up', 'messages', settle_v2(p_job, p_share, 0, 1, 0));
    END IF;
    RETURN jsonb_build_object('outcome', 'released', 'messages',
        CASE WHEN p_resend THEN send_v1(
            format('images.waiting.%s.%s.%s.%s', p_job, p_number, released.revision, released.failures),
            jsonb_build_object('job', p_job, 'number', p_number, 'revision', released.revision)) ELSE '[]' END);
END $$;

CREATE OR REPLACE FUNCTION remove_images_v1(p_job text, p_lease text, p_numbers integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND lease = p_lease FOR UPDATE;
    IF FOUND THEN
        WITH removed AS (
            UPDATE images SET state = 'removed', result_key = NULL, folded_name = '/' || images.number, name_base = NULL,
                updated_at = now()
                FROM images AS old
                WHERE images.job_id = p_job AND images.number = ANY (p_numbers) AND images.state IN ('done', 'failed')
                AND old.job_id = p_job AND old.number = images.number
                RETURNING old.state
        )
        UPDATE jobs SET total = jobs.total - counted.done - counted.failed, done = jobs.done - counted.done,
            failed = jobs.failed - counted.failed
            FROM (SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed
                  FROM removed) AS counted
            WHERE id = p_job;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION adopt_v1(
    p_job text, p_key text, p_etag text, p_stored_at bigint, p_bytes bigint, p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text,
    p_quiet integer, p_limit integer, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
    known images;
    new_number integer;
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job;
    SELECT * INTO known FROM images WHERE job_id = p_job AND key = p_key AND bucket = 'drop';
    IF FOUND THEN
        IF known.etag = p_etag AND known.state <> 'removed' THEN
            UPDATE images SET stored_at = p_stored_at
                WHERE job_id = p_job AND number = known.number AND stored_at IS DISTINCT FROM greatest(stored_at, p_stored_at);
            RETURN jsonb_build_object('outcome', 'known', 'messages', '[]'::jsonb);
        END IF;
        new_number := known.number;
        UPDATE images SET etag = p_etag, stored_at = p_stored_at, bytes = p_bytes WHERE job_id = p_job AND number = new_number;
        PERFORM renew_revision_v1(p_job, ARRAY[new_number]);
    ELSE
        SELECT coalesce(max(number), 0) + 1 INTO new_number FROM images WHERE job_id = p_job;
        INSERT INTO images (job_id, number, owner, name, result_name, folded_name, bucket, key, etag, stored_at, bytes, state)
            VALUES (p_job, new_number, its_owner, p_name, p_name, '/' || new_number, 'drop', p_key, p_etag, p_stored_at,
                    p_bytes, 'waiting');
        INSERT INTO ledger (bucket, key, job_id) VALUES ('drop', p_key, p_job);
        UPDATE jobs SET total = total + 1 WHERE id = p_job;
    END IF;
    PERFORM reserve_name_v1(p_job, new_number, p_name, p_base, p_suffix, p_flat,
                            p_folded, p_folded_base, p_folded_suffix, p_folded_flat);
    IF new_number > p_limit THEN
        UPDATE images SET state = 'failed', code = 'too_many_files',
            reason = format('The folder has more than the %s files that are allowed.', p_limit)
            WHERE job_id = p_job AND number = new_number;
        UPDATE jobs SET failed = failed + 1 WHERE id = p_job;
    END IF;
    PERFORM stir_v1(p_job, p_quiet);
    RETURN jsonb_build_object('outcome', 'adopted', 'number', new_number, 'messages', refill_v1(its_owner, p_share));
END $$;

CREATE OR REPLACE FUNCTION settle_job_v1(p_job text, p_seconds integer, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its jobs;
    given_up integer := 0;
BEGIN
    SELECT * INTO its FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    IF its.progress_at < now() - make_interval(secs => p_seconds) THEN
        IF NOT EXISTS (SELECT FROM images WHERE job_id = p_job) THEN
            RETURN expire_v1(p_job, true, p_share);
        END IF;
        UPDATE images SET state = 'failed', code = 'not_uploaded', reason = 'It was not uploaded.', updated_at = now()
            WHERE job_id = p_job AND state = 'expected';
        GET DIAGNOSTICS given_up = ROW_COUNT;
        UPDATE jobs SET state = 'processing', quiet_at = NULL WHERE id = p_job AND state = 'receiving' AND source = 'upload';
    END IF;
    UPDATE jobs SET state = 'processing', quiet_at = NULL WHERE id = p_job AND state = 'receiving' AND quiet_at <= now();
    RETURN jsonb_build_object('messages', settle_v2(p_job, p_share, 0, given_up, 0));
END $$;

-- Take a job to make its ZIP, and get it. No row: there is nothing to do (any more), or another function has it.
CREATE FUNCTION take_archive_v2(p_job text, p_revision integer, p_lease text, p_seconds integer, p_key text)
RETURNS SETOF jobs LANGUAGE plpgsql AS $$
BEGIN
    PERFORM taken_out_v1(format('jobs.complete.%s.%s', p_job, p_revision));
    RETURN QUERY UPDATE jobs SET lease = p_lease, lease_until = now() + make_interval(secs => p_seconds), excused = false
        WHERE id = p_job AND state = 'archiving' AND revision = p_revision AND (lease IS NULL OR lease = p_lease) RETURNING *;
    IF FOUND THEN
        INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job) ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- The ZIP is stored, and will be copied to p_view. False: the job went on meanwhile, and this ZIP is out of date.
CREATE FUNCTION finish_archive_v2(
    p_job text, p_revision integer, p_lease text, p_key text, p_bytes bigint, p_view text, p_lifetime integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT finish_archive_v1(p_job, p_revision, p_lease, p_key, p_bytes, p_lifetime) THEN
        RETURN false;
    END IF;
    INSERT INTO ledger (bucket, key, job_id) SELECT 'results', p_view, p_job WHERE p_view IS NOT NULL ON CONFLICT DO NOTHING;
    RETURN true;
END $$;

-- What is to be deleted of an expired job: our objects that no other job refers to, and what its folder had, with the
-- bucket's name, and at last the folder itself.
CREATE FUNCTION remains_v1(p_job text) RETURNS TABLE (bucket text, key text, etag text, stored_at bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM taken_out_v1('jobs.expired.' || p_job);
    IF NOT EXISTS (SELECT FROM jobs WHERE id = p_job AND state = 'expired') THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT mine.bucket, mine.key, NULL, NULL::bigint FROM ledger mine WHERE job_id = p_job AND NOT EXISTS (
            SELECT FROM ledger other WHERE other.bucket = mine.bucket AND other.key = mine.key AND other.job_id <> p_job)
        AND mine.bucket <> 'drop'
        UNION ALL SELECT bucket, key, etag, stored_at FROM images WHERE job_id = p_job AND bucket = 'drop' AND state <> 'removed'
        UNION ALL SELECT 'folder', folder, options_etag, options_stored_at FROM jobs WHERE id = p_job AND source = 'drop';
END $$;

-- An object of the drop bucket becomes an image of its folder's job, as open_folder_v1 and adopt_v1 have it. "new": the
-- folder has no job, and the caller must say with which options one is opened. "later": its former job is not gone.
CREATE FUNCTION take_dropped_v1(
    p_folder text, p_new text, p_token text, p_options jsonb, p_options_etag text, p_options_stored_at bigint,
    p_options_problem text, p_hours integer,
    p_key text, p_etag text, p_stored_at bigint, p_bytes bigint, p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text,
    p_quiet integer, p_limit integer, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_job text;
BEGIN
    IF p_options IS NULL AND NOT EXISTS (
        SELECT FROM jobs WHERE folder = p_folder AND source = 'drop' AND state <> 'gone') THEN
        RETURN jsonb_build_object('outcome', 'new', 'messages', '[]'::jsonb);
    END IF;
    its_job := open_folder_v1(p_folder, p_new, p_token, coalesce(p_options, '{}'), p_options_etag, p_options_stored_at,
                              p_options_problem, p_hours);
    IF its_job IS NULL THEN
        RETURN jsonb_build_object('outcome', 'later', 'messages', '[]'::jsonb);
    END IF;
    RETURN adopt_v1(its_job, p_key, p_etag, p_stored_at, p_bytes, p_name, p_base, p_suffix, p_flat, p_folded, p_folded_base,
                    p_folded_suffix, p_folded_flat, p_quiet, p_limit, p_share) || jsonb_build_object('job', its_job);
END $$;
