-- Offending rows: delivered rows of the month without a fate, or lines published that differ, in number or amount, from
-- the delivered rows that were judged to count.
WITH counted AS (
    SELECT
        (SELECT COUNT(*) FROM landed) AS landed_rows,
        (SELECT COUNT(*) FROM transactions.judged) AS judged_rows,
        (SELECT COUNT(*) FROM transactions.judged WHERE fate = 'kept') AS kept_lines,
        (SELECT COUNT(*) FROM staged_transactions_lines) AS published_lines,
        (SELECT COALESCE(SUM(line_total), 0) FROM transactions.judged WHERE fate = 'kept') AS kept_amount,
        (SELECT COALESCE(SUM(line_total), 0) FROM staged_transactions_lines) AS published_amount
)
SELECT *
FROM counted
WHERE landed_rows <> judged_rows OR kept_lines <> published_lines OR kept_amount <> published_amount
