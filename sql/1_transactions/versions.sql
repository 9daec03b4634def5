-- One row per usable row of a load that carries a line id: which version of which line, in which month.
SELECT
    batch_id,
    line_id,
    COALESCE(period, 'none') AS period,
    updated_at,
    seq,
    row_number,
    MD5(raw_text || CAST(is_deleted AS VARCHAR)) AS content,
    COUNT(DISTINCT MD5(raw_text || CAST(is_deleted AS VARCHAR))) OVER (PARTITION BY batch_id, line_id, updated_at) > 1
        AS conflict
FROM transactions.parsed
WHERE reason IS NULL
