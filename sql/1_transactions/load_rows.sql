-- One row per delivered row of a load: its month, its amount, and a fingerprint of its content. A rejected row's has its
-- place, as quarantine names it.
SELECT
    batch_id,
    row_number,
    COALESCE(period, 'none') AS period,
    line_id,
    line_total,
    reason IS NULL AS is_usable,
    HASH(raw_text, is_deleted, CASE WHEN reason IS NOT NULL THEN batch_id || ':' || CAST(row_number AS VARCHAR) END)
        AS fingerprint
FROM transactions.parsed
