-- The steps of jobs and images, each one transaction under the lock of its job. A function that changes gets a new
-- number, so that replicas from before and after an upgrade work side by side.
--
-- Locks are taken in one order: the job, its images, then the owner's share of the line. With the share in hand images are
-- taken that nobody holds (refill_v1), and those of a job that is ended (expire_v1): who holds one without the lock of its
-- job asks for no share.
-- A function returns jsonb with what came of it; "messages" are the rows of the outbox that it wrote.

CREATE FUNCTION send_v1(p_subject text, p_data jsonb) RETURNS jsonb LANGUAGE sql AS $$
    WITH written AS (INSERT INTO outbox (subject, data) VALUES (p_subject, p_data || '{"version": 1}') RETURNING id, subject, data)
    SELECT jsonb_build_array(to_jsonb(written)) FROM written
$$;

CREATE FUNCTION send_image_v1(p_job text, p_number integer, p_revision integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT send_v1(format('images.waiting.%s.%s.%s', p_job, p_number, p_revision),
                   jsonb_build_object('job', p_job, 'number', p_number, 'revision', p_revision))
$$;

CREATE FUNCTION lock_share_v1(p_owner text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(p_owner, 0))
$$;

-- Let an owner's next images into the line while he has credit. Those with low numbers go first, so that his small jobs
-- do not wait for the end of his large ones.
CREATE FUNCTION refill_v1(p_owner text, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    credit integer;
    messages jsonb := '[]';
    next record;
BEGIN
    PERFORM lock_share_v1(p_owner);
    SELECT p_share - count(*) INTO credit FROM images WHERE owner = p_owner AND in_line;
    IF credit <= 0 THEN
        RETURN messages;
    END IF;
    FOR next IN
        WITH chosen AS (
            SELECT i.job_id, i.number FROM images i JOIN jobs j ON j.id = i.job_id
            WHERE i.owner = p_owner AND i.state = 'waiting' AND NOT i.in_line AND j.state IN ('receiving', 'processing')
            ORDER BY i.number, i.job_id LIMIT credit FOR UPDATE OF i SKIP LOCKED
        )
        UPDATE images SET in_line = true, sent_at = now() FROM chosen
        WHERE images.job_id = chosen.job_id AND images.number = chosen.number
        RETURNING images.job_id, images.number, images.revision
    LOOP
        messages := messages || send_image_v1(next.job_id, next.number, next.revision);
    END LOOP;
    RETURN messages;
END $$;

-- What the end of an image asks for: the owner's next images, and the ZIP after the last. The job must be locked.
CREATE FUNCTION settle_v1(p_job text, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
    its_revision integer;
    messages jsonb := '[]';
BEGIN
    UPDATE jobs SET state = 'archiving', lease = NULL, failures = 0, sent_at = now()
        WHERE id = p_job AND state = 'processing'
        AND NOT EXISTS (SELECT FROM images WHERE job_id = p_job AND state IN ('expected', 'waiting'))
        RETURNING revision INTO its_revision;
    IF FOUND THEN
        messages := send_v1(format('jobs.complete.%s.%s', p_job, its_revision),
                            jsonb_build_object('job', p_job, 'revision', its_revision));
    END IF;
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job;
    RETURN messages || refill_v1(its_owner, p_share);
END $$;

-- Give an image a name that no other image of its job has, on systems that know no case as well, and that is no folder
-- of another's. `p_folded…` are the parts as such systems compare them; a name that is put together here and its fold are
-- put together of the same parts, so that the one is the fold of the other.
CREATE FUNCTION reserve_name_v1(
    p_job text, p_number integer, p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text
) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    kept images;
    candidate text := p_name;
    folded text := p_folded;
    base text := p_base;
    folded_base text := p_folded_base;
    family text; -- what names share that get their numbers from one count
    n integer;
BEGIN
    SELECT * INTO kept FROM images WHERE job_id = p_job AND number = p_number;
    IF kept.folded_name = p_folded THEN
        RETURN kept.result_name;
    END IF;
    IF name_below_file_v1(p_job, p_number, p_folded) THEN
        -- A folder that is called like a file: the path becomes a name, short enough for every file system.
        base := '_' || p_flat;
        folded_base := '_' || p_folded_flat;
        candidate := base || p_suffix;
        folded := folded_base || p_folded_suffix;
    END IF;
    family := folded_base || '//' || p_folded_suffix;
    IF name_taken_v1(p_job, p_number, folded) THEN
        IF kept.name_base = family AND kept.name_number IS NOT NULL THEN
            RETURN kept.result_name;
        END IF;
        SELECT coalesce(max(name_number), 1) + 1 INTO n FROM images
            WHERE job_id || '/' || name_base = p_job || '/' || family COLLATE "C";
        LOOP
            candidate := base || ' (' || n || ')' || p_suffix;
            folded := folded_base || ' (' || n || ')' || p_folded_suffix;
            EXIT WHEN NOT name_taken_v1(p_job, p_number, folded);
            n := n + 1;
        END LOOP;
    END IF;
    UPDATE images SET result_name = candidate, folded_name = folded, name_base = family, name_number = n
        WHERE job_id = p_job AND number = p_number;
    RETURN candidate;
END $$;

CREATE FUNCTION name_taken_v1(p_job text, p_number integer, p_folded text) RETURNS boolean
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    path text COLLATE "C" := p_job || '/' || p_folded;
BEGIN
    RETURN p_folded = 'report.json'
        OR EXISTS (SELECT FROM images WHERE job_id || '/' || folded_name = path AND number <> p_number)
        OR EXISTS (SELECT FROM images WHERE job_id || '/' || folded_name > path || '/'
                   AND job_id || '/' || folded_name < path || '0' AND number <> p_number);
END $$;

CREATE FUNCTION name_below_file_v1(p_job text, p_number integer, p_folded text) RETURNS boolean
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    folder text COLLATE "C" := p_folded;
BEGIN
    WHILE position('/' IN folder) > 0 LOOP
        folder := regexp_replace(folder, '/[^/]*$', '');
        IF folder = 'report.json'
            OR EXISTS (SELECT FROM images WHERE job_id || '/' || folded_name = p_job || '/' || folder AND number <> p_number) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

-- Add images to a job that receives; their objects come after this. Each name comes in eight parts, as reserve_name_v1
-- takes them. False: the job takes no images (any more).
CREATE FUNCTION add_images_v1(
    p_job text, p_numbers integer[], p_names text[], p_bases text[], p_suffixes text[], p_flats text[], p_folded text[],
    p_folded_bases text[], p_folded_suffixes text[], p_folded_flats text[], p_bucket text, p_keys text[], p_sizes bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
    new record;
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job AND state = 'receiving' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE jobs SET progress_at = now() WHERE id = p_job;
    INSERT INTO images (job_id, number, owner, name, result_name, folded_name, bucket, key, bytes)
        SELECT p_job, number, its_owner, name, name, '/' || number, p_bucket, key, size
        FROM unnest(p_numbers, p_names, p_keys, p_sizes) AS added (number, name, key, size);
    FOR new IN
        SELECT * FROM unnest(p_numbers, p_names, p_bases, p_suffixes, p_flats,
                             p_folded, p_folded_bases, p_folded_suffixes, p_folded_flats)
            AS added (number, name, base, suffix, flat, folded, folded_base, folded_suffix, folded_flat)
    LOOP
        PERFORM reserve_name_v1(p_job, new.number, new.name, new.base, new.suffix, new.flat,
                                new.folded, new.folded_base, new.folded_suffix, new.folded_flat);
    END LOOP;
    INSERT INTO ledger (bucket, key, job_id) SELECT p_bucket, key, p_job FROM unnest(p_keys) key;
    RETURN true;
END $$;

-- An original is stored. "gone": the job takes none any more, or has ended.
CREATE FUNCTION arrive_v1(p_job text, p_number integer, p_etag text, p_bytes bigint, p_share integer) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('outcome', 'gone', 'messages', '[]'::jsonb);
    END IF;
    UPDATE images SET state = 'waiting', etag = p_etag, bytes = p_bytes, updated_at = now()
        WHERE job_id = p_job AND number = p_number AND state = 'expected';
    IF NOT FOUND THEN
        PERFORM FROM images WHERE job_id = p_job AND number = p_number AND code = 'not_uploaded';
        RETURN jsonb_build_object('outcome', CASE WHEN FOUND THEN 'late' ELSE 'known' END, 'messages', '[]'::jsonb);
    END IF;
    UPDATE jobs SET progress_at = now() WHERE id = p_job;
    RETURN jsonb_build_object('outcome', 'arrived', 'messages', refill_v1(its_owner, p_share));
END $$;

-- Images whose bytes will not come.
CREATE FUNCTION fail_expected_v1(p_job text, p_numbers integer[], p_code text, p_reason text, p_share integer)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    failed integer;
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('count', 0, 'messages', '[]'::jsonb);
    END IF;
    UPDATE images SET state = 'failed', code = p_code, reason = p_reason, updated_at = now()
        WHERE job_id = p_job AND number = ANY (p_numbers) AND state = 'expected';
    GET DIAGNOSTICS failed = ROW_COUNT;
    RETURN jsonb_build_object('count', failed, 'messages', settle_v1(p_job, p_share));
END $$;

-- No more images will be added.
CREATE FUNCTION seal_v1(p_job text, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET state = 'processing', quiet_at = NULL WHERE id = p_job AND state = 'receiving';
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    RETURN jsonb_build_object('messages', settle_v1(p_job, p_share));
END $$;

-- Take an image to work on it: the lease, and the ledger's row of the object that will be made. NULL: there is nothing
-- to do (any more), or another function has it.
CREATE FUNCTION take_image_v1(
    p_job text, p_number integer, p_revision integer, p_lease text, p_seconds integer, p_key text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its jobs;
    taken images;
BEGIN
    SELECT * INTO its FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE images SET lease = p_lease, lease_until = now() + make_interval(secs => p_seconds), excused = false, in_line = true,
        updated_at = now()
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND state = 'waiting' AND lease IS NULL
        RETURNING * INTO taken;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job);
    RETURN jsonb_build_object(
        'name', taken.name, 'bucket', taken.bucket, 'key', taken.key, 'etag', taken.etag, 'source', its.source,
        'folder', its.folder, 'options_hash', its.options_hash, 'options_problem', its.options_problem);
END $$;

CREATE FUNCTION renew_image_v1(p_job text, p_number integer, p_lease text, p_seconds integer) RETURNS boolean LANGUAGE sql AS $$
    WITH renewed AS (
        UPDATE images SET lease_until = now() + make_interval(secs => p_seconds)
        WHERE job_id = p_job AND number = p_number AND lease = p_lease RETURNING 1
    )
    SELECT EXISTS (SELECT FROM renewed)
$$;

-- The end of an image, and its name; NULL: the lease or the revision is not its own any more, or the job has ended.
CREATE FUNCTION finish_image_v1(
    p_job text, p_number integer, p_revision integer, p_lease text, p_bytes bigint,
    p_result_key text, p_result_bytes bigint, p_format text, p_width integer, p_height integer,
    p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text, p_view text, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_name text;
BEGIN
    PERFORM FROM jobs WHERE id = p_job FOR UPDATE;
    UPDATE images SET state = 'done', lease = NULL, lease_until = NULL, in_line = false, failures = 0, code = NULL,
        reason = NULL, bytes = p_bytes, result_key = p_result_key, result_bytes = p_result_bytes, view_etag = NULL,
        format = p_format, width = p_width, height = p_height, updated_at = now()
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND lease = p_lease AND state = 'waiting'
        AND EXISTS (SELECT FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing'));
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
    RETURN jsonb_build_object('name', its_name, 'messages', settle_v1(p_job, p_share));
END $$;

-- An image can't be marked, for a reason of its own; p_state is failed, or removed for one that nobody has any more.
CREATE FUNCTION fail_image_v1(
    p_job text, p_number integer, p_revision integer, p_lease text, p_state text, p_code text, p_reason text, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    UPDATE images SET state = p_state, lease = NULL, lease_until = NULL, in_line = false, code = p_code,
        reason = p_reason, updated_at = now(),
        folded_name = CASE p_state WHEN 'removed' THEN '/' || number ELSE folded_name END,
        name_base = CASE p_state WHEN 'removed' THEN NULL ELSE name_base END
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND lease = p_lease AND state = 'waiting'
        AND EXISTS (SELECT FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing'));
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    RETURN jsonb_build_object('messages', settle_v1(p_job, p_share));
END $$;

-- A new revision of some images of a job waits; leases and results of older ones count no more.
CREATE FUNCTION renew_revision_v1(p_job text, p_numbers integer[]) RETURNS void LANGUAGE sql AS $$
    UPDATE images SET state = 'waiting', revision = revision + 1, lease = NULL, lease_until = NULL, in_line = false,
        failures = 0, code = NULL, reason = NULL, result_key = NULL, view_etag = NULL, updated_at = now()
        WHERE job_id = p_job AND number = ANY (p_numbers)
$$;

-- The original of an image that is worked on was replaced in the store.
CREATE FUNCTION replace_image_v1(
    p_job text, p_number integer, p_revision integer, p_etag text, p_stored_at bigint, p_bytes bigint, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR UPDATE;
    UPDATE images SET etag = p_etag, stored_at = p_stored_at, bytes = p_bytes
        WHERE job_id = p_job AND number = p_number AND revision = p_revision AND state = 'waiting' AND its_owner IS NOT NULL;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    PERFORM renew_revision_v1(p_job, ARRAY[p_number]);
    RETURN jsonb_build_object('messages', refill_v1(its_owner, p_share));
END $$;

-- An attempt has ended without a result: its lease is given back, and counted if the fault is ours. The caller's message
-- comes again; one whose holder is lost (p_resend) is sent. It has a subject of its own, for somebody may still wait for
-- the lost one's answer, and keep its message in the stream.
CREATE FUNCTION release_image_v1(
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
        RETURN jsonb_build_object('outcome', 'given_up', 'messages', settle_v1(p_job, p_share));
    END IF;
    RETURN jsonb_build_object('outcome', 'released', 'messages',
        CASE WHEN p_resend THEN send_v1(
            format('images.waiting.%s.%s.%s.%s', p_job, p_number, released.revision, released.failures),
            jsonb_build_object('job', p_job, 'number', p_number, 'revision', released.revision)) ELSE '[]' END);
END $$;

-- Take a job to make its ZIP. NULL: there is nothing to do (any more), or another function has it.
CREATE FUNCTION take_archive_v1(p_job text, p_revision integer, p_lease text, p_seconds integer, p_key text, p_view text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET lease = p_lease, lease_until = now() + make_interval(secs => p_seconds), excused = false
        WHERE id = p_job AND state = 'archiving' AND revision = p_revision AND lease IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO ledger (bucket, key, job_id) VALUES ('results', p_key, p_job);
    INSERT INTO ledger (bucket, key, job_id) SELECT 'results', p_view, p_job WHERE p_view IS NOT NULL ON CONFLICT DO NOTHING;
    RETURN true;
END $$;

CREATE FUNCTION renew_archive_v1(p_job text, p_lease text, p_seconds integer) RETURNS boolean LANGUAGE sql AS $$
    WITH renewed AS (
        UPDATE jobs SET lease_until = now() + make_interval(secs => p_seconds) WHERE id = p_job AND lease = p_lease RETURNING 1
    )
    SELECT EXISTS (SELECT FROM renewed)
$$;

-- The ZIP is stored. False: the job went on meanwhile, and this ZIP is out of date.
CREATE FUNCTION finish_archive_v1(
    p_job text, p_revision integer, p_lease text, p_key text, p_bytes bigint, p_lifetime integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    marked boolean := EXISTS (SELECT FROM images WHERE job_id = p_job AND state = 'done');
BEGIN
    UPDATE jobs SET state = CASE WHEN marked THEN 'ready' ELSE 'failed' END,
        reason = CASE WHEN marked THEN NULL ELSE 'None of the images could be processed.' END,
        ready_at = now(), expires_at = now() + make_interval(secs => p_lifetime),
        archive_key = p_key, archive_bytes = p_bytes, view_etag = NULL, lease = NULL, lease_until = NULL
        WHERE id = p_job AND state = 'archiving' AND revision = p_revision AND lease = p_lease;
    -- Asked a second time, after an answer that was lost, it is still the holder's end.
    RETURN FOUND OR EXISTS (SELECT FROM jobs WHERE id = p_job AND archive_key = p_key);
END $$;

-- An attempt at a ZIP has ended without one. At the limit the job fails; its results can be had one by one.
CREATE FUNCTION release_archive_v1(
    p_job text, p_lease text, p_counted boolean, p_resend boolean, p_attempts integer, p_lifetime integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    released jobs;
BEGIN
    UPDATE jobs SET lease = NULL, lease_until = NULL, failures = failures + (p_counted AND NOT excused)::integer, sent_at = now()
        WHERE id = p_job AND state = 'archiving' AND lease = p_lease RETURNING * INTO released;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('outcome', 'stale', 'messages', '[]'::jsonb);
    END IF;
    IF released.failures >= p_attempts THEN
        UPDATE jobs SET state = 'failed', reason = 'The ZIP could not be made, even after several attempts. Each image can be downloaded.',
            ready_at = now(), expires_at = now() + make_interval(secs => p_lifetime) WHERE id = p_job;
        RETURN jsonb_build_object('outcome', 'given_up', 'messages', '[]'::jsonb);
    END IF;
    RETURN jsonb_build_object('outcome', 'released', 'messages', CASE WHEN p_resend
        THEN send_v1(format('jobs.complete.%s.%s.%s', p_job, released.revision, released.failures),
                     jsonb_build_object('job', p_job, 'revision', released.revision))
        ELSE '[]' END);
END $$;

-- A drop folder goes on receiving; what was archived is out of date. It is quiet after p_quiet seconds, and after an
-- eighth of its age if that is longer, at most ten minutes: so its ZIP is not written anew at every pause.
CREATE FUNCTION stir_v1(p_job text, p_quiet integer) RETURNS void LANGUAGE sql AS $$
    UPDATE jobs SET revision = revision + (state <> 'receiving')::integer, state = 'receiving', reason = NULL,
        lease = NULL, lease_until = NULL, failures = 0, ready_at = NULL, expires_at = NULL, archive_key = NULL,
        archive_bytes = NULL, view_etag = NULL, progress_at = now(),
        quiet_at = now() + make_interval(secs => greatest(p_quiet, least(600, extract(epoch FROM now() - created_at) / 8)))
        WHERE id = p_job
$$;

-- The job of a drop folder, locked, opened if there is none. "later": the folder's former job is not gone yet, or has
-- taken files for p_hours. The options are those of a new job.
CREATE FUNCTION open_folder_v1(
    p_folder text, p_new text, p_token text, p_options jsonb, p_options_etag text, p_options_stored_at bigint,
    p_options_problem text, p_hours integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    its jobs;
BEGIN
    LOOP
        INSERT INTO jobs (id, token, source, folder, owner, state, options, options_etag, options_stored_at, options_problem)
            VALUES (p_new, p_token, 'drop', p_folder, 'drop:' || p_folder, 'receiving', p_options, p_options_etag,
                    p_options_stored_at, p_options_problem)
            ON CONFLICT (folder) WHERE source = 'drop' AND state <> 'gone' DO NOTHING;
        SELECT * INTO its FROM jobs WHERE folder = p_folder AND source = 'drop' AND state <> 'gone' FOR UPDATE;
        EXIT WHEN FOUND; -- else it was forgotten between the two statements
    END LOOP;
    IF its.state = 'expired' OR its.created_at < now() - make_interval(hours => p_hours) THEN
        RETURN NULL;
    END IF;
    RETURN its.id;
END $$;

-- An object of the drop bucket becomes an image of its folder's job, which must be locked; a replaced one a new revision.
-- One that was stored again as it was is known, and goes with the job.
CREATE FUNCTION adopt_v1(
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
    END IF;
    PERFORM reserve_name_v1(p_job, new_number, p_name, p_base, p_suffix, p_flat,
                            p_folded, p_folded_base, p_folded_suffix, p_folded_flat);
    IF new_number > p_limit THEN
        UPDATE images SET state = 'failed', code = 'too_many_files',
            reason = format('The folder has more than the %s files that are allowed.', p_limit)
            WHERE job_id = p_job AND number = new_number;
    END IF;
    PERFORM stir_v1(p_job, p_quiet);
    RETURN jsonb_build_object('outcome', 'adopted', 'number', new_number, 'messages', refill_v1(its_owner, p_share));
END $$;

-- A folder's options have come or changed: images that were made with others are made again.
CREATE FUNCTION set_options_v1(
    p_folder text, p_options jsonb, p_options_etag text, p_options_stored_at bigint, p_options_problem text,
    p_quiet integer, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its jobs;
BEGIN
    SELECT * INTO its FROM jobs WHERE folder = p_folder AND source = 'drop' AND state NOT IN ('expired', 'gone') FOR UPDATE;
    IF NOT FOUND OR its.options_etag IS NOT DISTINCT FROM p_options_etag
        AND its.options_problem IS NOT DISTINCT FROM p_options_problem THEN
        UPDATE jobs SET options_stored_at = greatest(options_stored_at, p_options_stored_at) WHERE id = its.id;
        RETURN jsonb_build_object('outcome', 'known', 'messages', '[]'::jsonb);
    END IF;
    UPDATE jobs SET options = p_options, options_etag = p_options_etag, options_stored_at = p_options_stored_at,
        options_problem = p_options_problem WHERE id = its.id;
    IF its.options = p_options AND its.options_problem IS NOT DISTINCT FROM p_options_problem THEN
        RETURN jsonb_build_object('outcome', 'known', 'messages', '[]'::jsonb);
    END IF;
    PERFORM renew_revision_v1(its.id, ARRAY(
        SELECT number FROM images WHERE job_id = its.id AND state IN ('waiting', 'done', 'failed')
        AND code IS DISTINCT FROM 'too_many_files'));
    PERFORM stir_v1(its.id, p_quiet);
    RETURN jsonb_build_object('outcome', 'changed', 'job', its.id, 'messages', refill_v1(its.owner, p_share));
END $$;

-- Images of a drop job whose objects are not there any more leave it, before its next ZIP. The lease is the archive's.
CREATE FUNCTION remove_images_v1(p_job text, p_lease text, p_numbers integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND lease = p_lease FOR UPDATE;
    IF FOUND THEN
        UPDATE images SET state = 'removed', result_key = NULL, folded_name = '/' || number, name_base = NULL, updated_at = now()
            WHERE job_id = p_job AND number = ANY (p_numbers) AND state IN ('done', 'failed');
    END IF;
END $$;

-- The result of an image was lost: the job goes back to processing with a new revision of it. The lease is the archive's.
CREATE FUNCTION redo_image_v1(p_job text, p_lease text, p_number integer, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
BEGIN
    UPDATE jobs SET state = 'processing', revision = revision + 1, lease = NULL, lease_until = NULL
        WHERE id = p_job AND state = 'archiving' AND lease = p_lease RETURNING owner INTO its_owner;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    PERFORM renew_revision_v1(p_job, ARRAY[p_number]);
    RETURN jsonb_build_object('messages', refill_v1(its_owner, p_share));
END $$;

-- End a job whose hour is over, or at once. Its images leave the line. The owner's share is locked before them: the end of
-- an image of another job may be letting one of them in, which shows only after its commit.
CREATE FUNCTION expire_v1(p_job text, p_at_once boolean, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its_owner text;
BEGIN
    UPDATE jobs SET state = 'expired', expires_at = now(), lease = NULL, lease_until = NULL, sent_at = now()
        WHERE id = p_job AND state NOT IN ('expired', 'gone') AND (p_at_once OR state IN ('ready', 'failed') AND expires_at <= now())
        RETURNING owner INTO its_owner;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('messages', '[]'::jsonb);
    END IF;
    PERFORM lock_share_v1(its_owner);
    UPDATE images SET in_line = false, lease = NULL, lease_until = NULL WHERE job_id = p_job AND in_line;
    RETURN jsonb_build_object('messages',
        send_v1('jobs.expired.' || p_job, jsonb_build_object('job', p_job)) || refill_v1(its_owner, p_share));
END $$;

-- Forget an expired job but that it has been there. Returns the objects that nobody refers to any more now.
CREATE FUNCTION forget_v1(p_job text) RETURNS TABLE (bucket text, key text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM jobs WHERE id = p_job AND state = 'expired' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM images WHERE job_id = p_job;
    UPDATE jobs SET state = 'gone', options = '{}', options_etag = NULL, options_problem = NULL, folder = NULL, reason = NULL,
        archive_key = NULL, archive_bytes = NULL WHERE id = p_job;
    RETURN QUERY WITH gone AS (DELETE FROM ledger WHERE job_id = p_job RETURNING ledger.bucket, ledger.key)
        SELECT gone.bucket, gone.key FROM gone WHERE NOT EXISTS (
            SELECT FROM ledger WHERE ledger.bucket = gone.bucket AND ledger.key = gone.key AND job_id <> p_job);
END $$;

-- Begin a sweep. After a gap between two sweeps that is longer than three periods, the clocks of jobs go on as if they
-- had stood still, and leases are extended once. Who held one may be dead since, which is no fault of his: that attempt is
-- not counted. What lies further in the future than it can was written before the clock was set back, and is brought back
-- to now. Returns the gap, if there was one.
CREATE FUNCTION begin_sweep_v1(p_period integer, p_lease integer, p_lifetime integer) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    before timestamptz;
    gap interval;
    renewed timestamptz := now() + make_interval(secs => p_lease);
BEGIN
    SELECT swept_at INTO before FROM sweeps FOR UPDATE;
    UPDATE sweeps SET swept_at = now(), compared_at = least(compared_at, now());
    UPDATE sweeps SET comparing_until = renewed WHERE comparing_until > renewed;
    UPDATE jobs SET quiet_at = quiet_at - (progress_at - now()), progress_at = now()
        WHERE progress_at > now() AND state IN ('receiving', 'processing');
    UPDATE jobs SET expires_at = now() + make_interval(secs => p_lifetime)
        WHERE expires_at > now() + make_interval(secs => p_lifetime) AND state IN ('ready', 'failed');
    UPDATE jobs SET sent_at = now() WHERE sent_at > now() AND state <> 'gone';
    UPDATE jobs SET lease_until = renewed WHERE lease_until > renewed;
    UPDATE images SET sent_at = now() WHERE in_line AND sent_at > now();
    UPDATE images SET lease_until = renewed WHERE lease IS NOT NULL AND lease_until > renewed;
    gap := now() - before;
    IF gap <= make_interval(secs => p_period * 3) THEN
        RETURN NULL;
    END IF;
    UPDATE jobs SET progress_at = progress_at + gap, quiet_at = quiet_at + gap
        WHERE progress_at <= before AND state IN ('receiving', 'processing');
    UPDATE jobs SET lease_until = renewed, excused = true WHERE lease IS NOT NULL;
    UPDATE images SET lease_until = renewed, excused = true WHERE lease IS NOT NULL;
    RETURN gap;
END $$;

-- Let a job go on whose time has come: a quiet folder or an upload that nobody ends is sealed, what was not uploaded in
-- time fails, an end is settled that nobody settled. An upload without an image is deleted.
CREATE FUNCTION settle_job_v1(p_job text, p_seconds integer, p_share integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    its jobs;
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
        UPDATE jobs SET state = 'processing', quiet_at = NULL WHERE id = p_job AND state = 'receiving' AND source = 'upload';
    END IF;
    UPDATE jobs SET state = 'processing', quiet_at = NULL WHERE id = p_job AND state = 'receiving' AND quiet_at <= now();
    RETURN jsonb_build_object('messages', settle_v1(p_job, p_share));
END $$;

-- Send again what is in line without a lease, what is to be archived, and what is to be deleted, if it was sent some time
-- ago. The stream refuses a message that it still has.
CREATE FUNCTION resend_v1(p_seconds integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    long_ago timestamptz := now() - make_interval(secs => p_seconds);
    messages jsonb := '[]';
    each record;
BEGIN
    FOR each IN
        WITH chosen AS (
            SELECT i.job_id, i.number FROM images i JOIN jobs j ON j.id = i.job_id
            WHERE i.in_line AND i.lease IS NULL AND i.sent_at < long_ago AND j.state IN ('receiving', 'processing')
            FOR UPDATE OF i SKIP LOCKED
        )
        UPDATE images SET sent_at = now() FROM chosen
        WHERE images.job_id = chosen.job_id AND images.number = chosen.number
        RETURNING images.job_id, images.number, images.revision
    LOOP
        messages := messages || send_image_v1(each.job_id, each.number, each.revision);
    END LOOP;
    FOR each IN
        WITH chosen AS (
            SELECT id FROM jobs WHERE sent_at < long_ago
            AND (state = 'archiving' AND lease IS NULL OR state = 'expired')
            FOR UPDATE SKIP LOCKED
        )
        UPDATE jobs SET sent_at = now() FROM chosen WHERE jobs.id = chosen.id RETURNING jobs.id, state, revision
    LOOP
        messages := messages || CASE each.state
            WHEN 'archiving' THEN send_v1(format('jobs.complete.%s.%s', each.id, each.revision),
                                          jsonb_build_object('job', each.id, 'revision', each.revision))
            ELSE send_v1('jobs.expired.' || each.id, jsonb_build_object('job', each.id)) END;
    END LOOP;
    RETURN messages;
END $$;
