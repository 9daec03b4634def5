-- Offending rows: months whose published lines differ, in number or amount, from the delivered rows that were judged to
-- count; and a row without a month when delivered rows have no fate.
WITH kept AS (
    SELECT period, COUNT(*) AS kept_lines, SUM(line_total) AS kept_amount
    FROM transactions.judged
    WHERE fate = 'kept'
    GROUP BY period
),

published AS (
    SELECT period, COUNT(*) AS published_lines, SUM(line_total) AS published_amount
    FROM staged_transactions_lines
    GROUP BY period
)

SELECT *
FROM kept
FULL JOIN published USING (period)
WHERE kept_lines IS DISTINCT FROM published_lines OR kept_amount IS DISTINCT FROM published_amount
UNION ALL
SELECT NULL, landed, NULL, judged, NULL
FROM (SELECT COUNT(*) AS landed FROM landed)
CROSS JOIN (SELECT COUNT(*) AS judged FROM transactions.judged)
WHERE landed <> judged
