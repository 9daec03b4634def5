-- One row per delivered row of the month with its fate, for sources with a line id.
-- The latest version of a line wins: by updated_at, then by arrival; its latest version may lie in another month
-- (landing.moves). Rows of one file that claim the same version with different content are quarantined.
WITH hashed AS (
    SELECT *, MD5(raw_text || CAST(is_deleted AS VARCHAR)) AS content FROM transactions.parsed
),
conflicts AS (
    SELECT batch_id, line_id, updated_at
    FROM hashed
    WHERE reason IS NULL
    GROUP BY batch_id, line_id, updated_at
    HAVING COUNT(DISTINCT content) > 1
    UNION
    SELECT batch_id, line_id, updated_at FROM landing.moves WHERE conflict
),
judged AS (
    SELECT
        h.* EXCLUDE (reason),
        CASE WHEN c.line_id IS NOT NULL THEN 'conflicting duplicates' ELSE h.reason END AS reason
    FROM hashed AS h
    LEFT JOIN conflicts AS c
        ON h.reason IS NULL AND c.batch_id = h.batch_id AND c.line_id = h.line_id
        AND c.updated_at IS NOT DISTINCT FROM h.updated_at
),
winners AS (
    SELECT line_id, period, updated_at, seq, row_number
    FROM landing.moves
    WHERE NOT conflict
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY line_id ORDER BY updated_at DESC NULLS LAST, seq DESC, row_number DESC
    ) = 1
),
ranked AS (
    SELECT
        j.*,
        ROW_NUMBER() OVER (
            PARTITION BY j.period, j.line_id ORDER BY j.updated_at DESC NULLS LAST, j.seq DESC, j.row_number DESC
        ) AS age,
        COUNT(*) OVER (PARTITION BY j.period, j.line_id, j.content) AS copies,
        w.line_id IS NOT NULL AND w.period IS DISTINCT FROM j.period AS moved
    FROM judged AS j
    LEFT JOIN winners AS w ON w.line_id = j.line_id
    WHERE j.reason IS NULL
)
SELECT
    * EXCLUDE (age, copies, moved),
    CASE
        WHEN is_deleted THEN 'deletion'
        WHEN age > 1 AND copies > 1 THEN 'duplicate'
        WHEN age > 1 OR moved THEN 'superseded'
        WHEN is_return AND $return_policy = 'drop' THEN 'return dropped'
        ELSE 'kept'
    END AS fate
FROM ranked
UNION ALL BY NAME
SELECT *, 'quarantined' AS fate FROM judged WHERE reason IS NOT NULL
