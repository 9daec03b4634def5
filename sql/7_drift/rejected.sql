-- One row per month from $since on with quarantined rows: how many.
SELECT period, COUNT(*) AS rejected_rows
FROM transactions.quarantine
WHERE period >= $since
GROUP BY period
ORDER BY period
