-- One row per row of transactions.parsed: which version of which line it is, in which month. Usable rows of one batch that
-- claim the same version with different content are in conflict.
WITH hashed AS (
    SELECT
        batch_id,
        source,
        line_id,
        COALESCE(period, 'none') AS period,
        updated_at,
        seq,
        row_number,
        reason IS NULL AS is_usable,
        MD5(raw_text || CAST(is_deleted AS VARCHAR)) AS content
    FROM transactions.parsed
),

conflicting AS (
    SELECT batch_id, line_id, updated_at
    FROM hashed
    WHERE is_usable
    GROUP BY batch_id, line_id, updated_at
    HAVING COUNT(DISTINCT content) > 1
)

SELECT
    h.*,
    h.is_usable AND c.line_id IS NOT NULL AS conflict
FROM hashed AS h
LEFT JOIN conflicting AS c
    ON h.batch_id = c.batch_id AND h.line_id = c.line_id AND h.updated_at IS NOT DISTINCT FROM c.updated_at
