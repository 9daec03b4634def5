-- One row about the lines up to $as_of: how many name no customer, what was bought, and what of it was taken back.
SELECT
    COUNT(*) AS lines,
    COUNT(*) FILTER (WHERE customer_id IS NULL) AS without_customer,
    CAST(COALESCE(SUM(line_total) FILTER (WHERE NOT is_return), 0) AS DECIMAL(18, 2)) AS bought,
    CAST(COALESCE(-SUM(line_total) FILTER (WHERE is_return), 0) AS DECIMAL(18, 2)) AS returned
FROM transactions.lines
