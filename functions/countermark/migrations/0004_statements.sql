-- Steps in one statement each, which may all be asked again: whoever lost an answer asks the same once more and gets it.

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
    outcomes jsonb;
BEGIN
    SELECT owner INTO its_owner FROM jobs WHERE id = p_job AND state IN ('receiving', 'processing') FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        SELECT jsonb_object_agg(number, 'gone') INTO outcomes FROM unnest(p_numbers) number;
        RETURN jsonb_build_object('outcomes', coalesce(outcomes, '{}'), 'messages', '[]'::jsonb);
    END IF;
    WITH arrived AS (
        UPDATE images SET state = 'waiting', etag = came.etag, bytes = came.size, updated_at = now()
            FROM unnest(p_numbers, p_etags, p_sizes) AS came (number, etag, size)
            WHERE images.job_id = p_job AND images.number = came.number AND state = 'expected' RETURNING images.number
    )
    SELECT jsonb_object_agg(came.number, CASE WHEN arrived.number IS NOT NULL THEN 'arrived'
                                              WHEN images.code = 'not_uploaded' THEN 'late' ELSE 'known' END)
        INTO outcomes FROM unnest(p_numbers) AS came (number) LEFT JOIN arrived ON arrived.number = came.number
        LEFT JOIN images ON images.job_id = p_job AND images.number = came.number;
    IF p_seal OR outcomes @? '$.* ? (@ == "arrived")' THEN
        UPDATE jobs SET progress_at = now(), state = CASE WHEN p_seal THEN 'processing' ELSE state END WHERE id = p_job;
    END IF;
    RETURN jsonb_build_object('outcomes', coalesce(outcomes, '{}'), 'messages',
        CASE WHEN p_seal THEN settle_v1(p_job, p_share) ELSE refill_v1(its_owner, p_share) END);
END $$;
