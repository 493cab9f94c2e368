-- Rows that know what was sent: leases, attempts and the line are in the rows, every object has its row in the ledger,
-- and every message has one in the outbox. docs/design.md says why.

ALTER TABLE jobs
    ADD COLUMN token        text,                      -- what people hold; the id is in keys and messages and opens nothing
    ADD COLUMN owner        text,                      -- whose share of the line its images use: address:…, drop:…
    ADD COLUMN options_etag text,                      -- of the drop folder's countermark.json
    ADD COLUMN options_stored_at bigint,               -- when the store got it
    ADD COLUMN progress_at  timestamptz NOT NULL DEFAULT now(), -- the last byte that arrived; deadlines count from here
    ADD COLUMN lease        text,                      -- of the function that makes the ZIP
    ADD COLUMN lease_until  timestamptz,
    ADD COLUMN excused      boolean NOT NULL DEFAULT false, -- an outage came while the lease was held: it does not count
    ADD COLUMN failures     integer NOT NULL DEFAULT 0, -- of attempts to make the ZIP
    ADD COLUMN sent_at      timestamptz NOT NULL DEFAULT now(), -- when jobs.complete or jobs.expired was sent last
    ADD COLUMN view_etag    text;                      -- of the ZIP's copy in the visible tree

UPDATE jobs SET token = id, owner = CASE source WHEN 'drop' THEN 'drop:' || coalesce(folder, '') ELSE 'address:unknown' END;

ALTER TABLE jobs
    ALTER COLUMN token SET NOT NULL,
    ALTER COLUMN owner SET NOT NULL,
    ADD UNIQUE (token),
    DROP COLUMN deadline_at;

-- An expired job is gone when its objects are deleted and it is forgotten. Only then its folder gets the next job.
ALTER TABLE jobs DROP CONSTRAINT jobs_state_check;
UPDATE jobs SET state = 'gone' WHERE state = 'expired' AND NOT EXISTS (SELECT FROM images WHERE job_id = jobs.id);
ALTER TABLE jobs ADD CONSTRAINT jobs_state_check
    CHECK (state IN ('receiving', 'processing', 'archiving', 'ready', 'failed', 'expired', 'gone'));
DROP INDEX jobs_open_folder;
CREATE UNIQUE INDEX jobs_folder ON jobs (folder) WHERE source = 'drop' AND state <> 'gone';

ALTER TABLE images
    DROP CONSTRAINT images_state_check,
    DROP CONSTRAINT images_bucket_key_key,
    DROP COLUMN begun,
    ALTER COLUMN revision SET DEFAULT 1,
    ALTER COLUMN state SET DEFAULT 'expected',
    ADD COLUMN owner        text,                      -- as in its job
    ADD COLUMN stored_at    bigint,                    -- when `drop` got the original, by the store's clock, in seconds since 1970
    ADD COLUMN in_line      boolean NOT NULL DEFAULT false, -- its message may be out, or a function works on it
    ADD COLUMN sent_at      timestamptz,               -- when its message was sent last
    ADD COLUMN lease        text,                      -- of the function that works on it
    ADD COLUMN lease_until  timestamptz,
    ADD COLUMN excused      boolean NOT NULL DEFAULT false, -- an outage came while the lease was held: it does not count
    ADD COLUMN failures     integer NOT NULL DEFAULT 0, -- of attempts at this revision
    ADD COLUMN view_etag    text,                      -- of the result's copy in the visible tree
    ADD COLUMN folded_name  text COLLATE "C",          -- result_name as systems compare it that know no case
    ADD COLUMN name_base    text COLLATE "C",          -- what names share that get their numbers from one count
    ADD COLUMN name_number  integer;                   -- the number that it got since its name was taken

-- What comes by a link is found when it is there. What was posted is there: the request that would bring it has ended.
UPDATE images SET
    owner = jobs.owner,
    result_name = coalesce(result_name, name),
    folded_name = '/' || number,
    name_base = '/' || number,
    state = CASE WHEN images.state = 'waiting' AND bucket = 'uploads' AND key LIKE 'direct/%' THEN 'expected' ELSE images.state END
FROM jobs WHERE jobs.id = job_id;

ALTER TABLE images
    ALTER COLUMN owner SET NOT NULL,
    ALTER COLUMN result_name SET NOT NULL,             -- reserved in the job from the beginning
    ALTER COLUMN folded_name SET NOT NULL,
    ADD CONSTRAINT images_state_check CHECK (state IN ('expected', 'waiting', 'done', 'failed', 'removed'));

DROP INDEX images_waiting;
-- A plan that is made while the table is empty takes any index that fits: each of them must be as good as the key.
CREATE INDEX images_open ON images (job_id, number) WHERE state IN ('expected', 'waiting');
CREATE INDEX images_dropped ON images (key) WHERE bucket = 'drop';
CREATE UNIQUE INDEX images_folded_names ON images ((job_id || '/' || folded_name));
CREATE INDEX images_name_bases ON images ((job_id || '/' || name_base), name_number);
CREATE INDEX images_line ON images (owner) WHERE in_line;
CREATE INDEX images_queue ON images (owner, number, job_id) WHERE state = 'waiting' AND NOT in_line;
CREATE INDEX images_leases ON images (lease_until) WHERE lease IS NOT NULL;

-- Every object of ours, written down before it is stored. A row is a job's reference: what no row names is deleted.
CREATE TABLE ledger (
    bucket text NOT NULL,
    key    text COLLATE "C" NOT NULL,
    job_id text NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (bucket, key, job_id)
);
CREATE INDEX ledger_job ON ledger (job_id);

INSERT INTO ledger
    SELECT bucket, key, job_id FROM images
    UNION SELECT 'results', result_key, job_id FROM images WHERE result_key IS NOT NULL
    UNION SELECT 'results', archive_key, id FROM jobs WHERE archive_key IS NOT NULL AND state <> 'gone';

-- Names were made unique when a ZIP was written. In a job that may get more of them those that images have are reserved: as
-- they are, where lower case is how every system compares them, and where they are one file and no folder. Any other image
-- is marked once more, and its name is reserved then.
WITH done AS (
    SELECT job_id, number, lower(result_name COLLATE "C") AS folded,
        octet_length(result_name) = length(result_name)
        AND count(*) OVER (PARTITION BY job_id, lower(result_name COLLATE "C")) = 1 AS is_one
    FROM images JOIN jobs ON jobs.id = job_id
    WHERE images.state = 'done' AND (jobs.state IN ('receiving', 'processing')
        OR jobs.state IN ('archiving', 'ready', 'failed') AND source = 'drop')
), folders AS (
    SELECT DISTINCT job_id, array_to_string(parts[:depth], '/') AS folded
    FROM (SELECT job_id, string_to_array(folded, '/') AS parts FROM done) AS paths,
        generate_series(1, cardinality(parts) - 1) AS depth
), kept AS (
    UPDATE images SET folded_name = folded FROM done
    WHERE images.job_id = done.job_id AND images.number = done.number
    AND is_one AND split_part(folded, '/', 1) <> 'report.json'
    AND NOT EXISTS (SELECT FROM folders WHERE folders.job_id = done.job_id AND folders.folded = done.folded)
    RETURNING done.job_id, done.number
), again AS (
    UPDATE images SET state = 'waiting', revision = revision + 1, result_key = NULL FROM done
    WHERE images.job_id = done.job_id AND images.number = done.number
    AND NOT EXISTS (SELECT FROM kept WHERE kept.job_id = done.job_id AND kept.number = done.number)
    RETURNING done.job_id
)
UPDATE jobs SET state = 'processing', revision = revision + 1, reason = NULL, ready_at = NULL, expires_at = NULL,
    archive_key = NULL, archive_bytes = NULL
    WHERE id IN (SELECT job_id FROM again) AND state NOT IN ('receiving', 'processing');

-- Messages that a change asks for, in the transaction of the change. They are sent after the commit and deleted then.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    text NOT NULL,
    data       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- When the sweep ran last: a longer gap was an outage, in which the clocks stand still.
CREATE TABLE sweeps (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    swept_at   timestamptz NOT NULL DEFAULT now(),
    compared_at     timestamptz NOT NULL DEFAULT '-infinity', -- when the store was last compared with the rows
    comparing_until timestamptz,                     -- the lease of whoever compares just now
    generation bigint NOT NULL DEFAULT 0             -- of the comparisons; the store remembers the newest
);
INSERT INTO sweeps DEFAULT VALUES;
