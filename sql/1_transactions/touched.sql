-- One row per batch and month of a load: how many rows it delivers for the month, what they sum to, and a fingerprint of
-- their content that does not depend on their order. A rejected row counts with its place, as quarantine names it.
SELECT
    batch_id,
    COALESCE(period, 'none') AS period,
    CAST(COUNT(*) AS BIGINT) AS rows,
    CAST(COALESCE(SUM(line_total), 0) AS DECIMAL(18, 2)) AS amount,
    CAST(SUM(HASH(raw_text, is_deleted, CASE WHEN reason IS NOT NULL THEN batch_id || ':' || CAST(row_number AS VARCHAR) END)) AS VARCHAR)
        AS fingerprint
FROM transactions.parsed
GROUP BY batch_id, COALESCE(period, 'none')
ORDER BY batch_id, period
