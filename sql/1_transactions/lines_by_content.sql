-- One row per delivered row of the month with its fate, for sources without a line id.
-- Repeated rows inside one file are real; identical rows in several files count once (the largest number of copies in
-- any one file is kept); a row flagged as deleted removes every identical row.
WITH hashed AS (
    SELECT *, MD5(raw_text) AS content FROM transactions.parsed
),
deletions AS (
    SELECT DISTINCT content FROM hashed WHERE reason IS NULL AND is_deleted
),
numbered AS (
    SELECT
        h.*,
        d.content IS NOT NULL AS deleted,
        ROW_NUMBER() OVER (PARTITION BY h.source, h.content ORDER BY h.seq, h.row_number) AS copy
    FROM hashed AS h
    LEFT JOIN deletions AS d ON d.content = h.content
    WHERE h.reason IS NULL
),
ranked AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY content, copy ORDER BY seq, row_number, source) AS arrival FROM numbered
)
SELECT
    * EXCLUDE (deleted, copy, arrival),
    CASE
        WHEN is_deleted THEN 'deletion'
        WHEN arrival > 1 THEN 'duplicate'
        WHEN deleted THEN 'deleted'
        WHEN is_return AND $return_policy = 'drop' THEN 'return dropped'
        ELSE 'kept'
    END AS fate
FROM ranked
UNION ALL BY NAME
SELECT *, 'quarantined' AS fate FROM hashed WHERE reason IS NOT NULL
