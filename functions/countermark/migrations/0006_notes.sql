-- What a person should know of a result that is right all the same: a list of code and text.

ALTER TABLE images ADD COLUMN notes jsonb NOT NULL DEFAULT '[]';

CREATE FUNCTION finish_image_v2(
    p_job text, p_number integer, p_revision integer, p_lease text, p_bytes bigint,
    p_result_key text, p_result_bytes bigint, p_format text, p_width integer, p_height integer, p_notes jsonb,
    p_name text, p_base text, p_suffix text, p_flat text,
    p_folded text, p_folded_base text, p_folded_suffix text, p_folded_flat text, p_view text, p_share integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
BEGIN
    answer := finish_image_v1(p_job, p_number, p_revision, p_lease, p_bytes, p_result_key, p_result_bytes, p_format, p_width,
        p_height, p_name, p_base, p_suffix, p_flat, p_folded, p_folded_base, p_folded_suffix, p_folded_flat, p_view, p_share);
    UPDATE images SET notes = p_notes
        WHERE job_id = p_job AND number = p_number AND result_key = p_result_key AND notes <> p_notes;
    RETURN answer;
END $$;
