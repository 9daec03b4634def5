-- One row per fate of the month's delivered lines, with number and amount (rejected amounts as far as they parse).
SELECT
    fate,
    CAST(COUNT(*) AS BIGINT) AS lines,
    CAST(COALESCE(SUM(line_total), 0) AS DECIMAL(18, 2)) AS amount,
    CAST(COUNT(*) FILTER (WHERE customer_id IS NULL) AS BIGINT) AS lines_without_customer,
    CAST(COALESCE(SUM(line_total) FILTER (WHERE customer_id IS NULL), 0) AS DECIMAL(18, 2)) AS amount_without_customer,
    CAST(COUNT(*) FILTER (WHERE is_return) AS BIGINT) AS return_lines,
    CAST(COALESCE(SUM(line_total) FILTER (WHERE is_return), 0) AS DECIMAL(18, 2)) AS return_amount
FROM transactions.judged
GROUP BY fate
ORDER BY fate
