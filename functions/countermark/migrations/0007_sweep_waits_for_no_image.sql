-- As before, but for the locks: of jobs first, then of images, and an image that somebody else holds is left to him. The
-- sweep takes images of many jobs without the locks of these: if it waited for one, who expires that job could wait for
-- another one at the same time. Whoever holds an image is changing it, and so is alive.
CREATE OR REPLACE FUNCTION begin_sweep_v1(p_period integer, p_lease integer, p_lifetime integer) RETURNS interval
LANGUAGE plpgsql AS $$
DECLARE
    before timestamptz;
    gap interval;
    was_gap boolean;
    renewed timestamptz := now() + make_interval(secs => p_lease);
BEGIN
    SELECT swept_at INTO before FROM sweeps FOR UPDATE;
    UPDATE sweeps SET swept_at = now(), compared_at = least(compared_at, now());
    UPDATE sweeps SET comparing_until = renewed WHERE comparing_until > renewed;
    gap := now() - before;
    was_gap := gap > make_interval(secs => p_period * 3);
    UPDATE jobs SET quiet_at = quiet_at - (progress_at - now()), progress_at = now()
        WHERE progress_at > now() AND state IN ('receiving', 'processing');
    UPDATE jobs SET expires_at = now() + make_interval(secs => p_lifetime)
        WHERE expires_at > now() + make_interval(secs => p_lifetime) AND state IN ('ready', 'failed');
    UPDATE jobs SET sent_at = now() WHERE sent_at > now() AND state <> 'gone';
    UPDATE jobs SET lease_until = renewed WHERE lease_until > renewed;
    IF was_gap THEN
        UPDATE jobs SET progress_at = progress_at + gap, quiet_at = quiet_at + gap
            WHERE progress_at <= before AND state IN ('receiving', 'processing');
        UPDATE jobs SET lease_until = renewed, excused = true WHERE lease IS NOT NULL;
    END IF;
    WITH free AS (
        SELECT job_id, number FROM images WHERE in_line AND sent_at > now() FOR UPDATE SKIP LOCKED
    )
    UPDATE images SET sent_at = now() FROM free WHERE images.job_id = free.job_id AND images.number = free.number;
    WITH free AS (
        SELECT job_id, number FROM images WHERE lease IS NOT NULL AND (was_gap OR lease_until > renewed) FOR UPDATE SKIP LOCKED
    )
    UPDATE images SET lease_until = renewed, excused = excused OR was_gap
        FROM free WHERE images.job_id = free.job_id AND images.number = free.number;
    RETURN CASE WHEN was_gap THEN gap END;
END $$;
