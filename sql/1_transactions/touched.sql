-- One row per batch and month of a load: how many rows it delivers for the month, what they sum to, and a fingerprint of
-- their content that does not depend on their order.
SELECT
    batch_id,
    period,
    CAST(COUNT(*) AS BIGINT) AS rows,
    CAST(COALESCE(SUM(line_total), 0) AS DECIMAL(18, 2)) AS amount,
    CAST(SUM(fingerprint) AS VARCHAR) AS fingerprint
FROM load_row
GROUP BY batch_id, period
ORDER BY batch_id, period
