-- The state of jobs and images. Bytes are in the object store; messages are in the stream.

CREATE TABLE jobs (
    id           text PRIMARY KEY,
    source       text NOT NULL CHECK (source IN ('upload', 'drop')),
    folder       text,                                -- of the drop bucket
    state        text NOT NULL CHECK (state IN ('receiving', 'processing', 'archiving', 'ready', 'failed', 'expired')),
    options      jsonb NOT NULL,                      -- read by itself: it may hold an image
    options_hash text GENERATED ALWAYS AS (md5(options::text)) STORED,
    options_problem text,                             -- why the options of a drop folder can't be used
    reason       text,                                -- why the job failed
    revision     integer NOT NULL DEFAULT 0,          -- counts the times that a ready job was opened again
    created_at   timestamptz NOT NULL DEFAULT now(),
    deadline_at  timestamptz NOT NULL,                -- images that have not ended by then are given up
    quiet_at     timestamptz,                         -- a drop folder is complete when this passes
    ready_at     timestamptz,
    expires_at   timestamptz,
    archive_key  text,
    archive_bytes bigint
);

-- A folder of the drop bucket is one job until that has expired.
CREATE UNIQUE INDEX jobs_open_folder ON jobs (folder) WHERE source = 'drop' AND state <> 'expired';
CREATE INDEX jobs_state ON jobs (state);

CREATE TABLE images (
    job_id       text NOT NULL REFERENCES jobs (id),
    number       integer NOT NULL,                    -- from 1, in the order of the upload
    name         text NOT NULL,                       -- as the person named it, cleaned
    bucket       text NOT NULL,
    key          text NOT NULL,
    bytes        bigint,
    etag         text,                                -- of the object that was processed
    revision     integer NOT NULL DEFAULT 0,          -- counts the times that the image was put back to waiting
    begun        integer,                             -- the revision that a function has begun to work on
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    code         text,                                -- of the failure
    reason       text,
    result_key   text,
    result_bytes bigint,
    result_name  text,
    format       text,
    width        integer,
    height       integer,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, number),
    UNIQUE (bucket, key)
);

CREATE INDEX images_waiting ON images (job_id) WHERE state = 'waiting';
