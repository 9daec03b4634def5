-- One row per rejected line, with the reason and the row as it was delivered.
SELECT period, batch_id, source, row_number, reason, CAST(TO_JSON(raw) AS VARCHAR) AS raw
FROM transactions.judged
WHERE fate = 'quarantined'
ORDER BY source, row_number, batch_id
