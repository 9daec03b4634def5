-- One row per month and fate of the delivered lines, with number and amount (rejected amounts as far as they parse).
SELECT
    period,
    fate,
    CAST(COUNT(*) AS BIGINT) AS lines,
    CAST(COALESCE(SUM(line_total), 0) AS DECIMAL(18, 2)) AS amount,
    CAST(COUNT(*) FILTER (WHERE customer_id IS NULL) AS BIGINT) AS lines_without_customer,
    CAST(COALESCE(SUM(line_total) FILTER (WHERE customer_id IS NULL), 0) AS DECIMAL(18, 2)) AS amount_without_customer,
    CAST(COUNT(*) FILTER (WHERE is_return) AS BIGINT) AS return_lines,
    CAST(COALESCE(SUM(line_total) FILTER (WHERE is_return), 0) AS DECIMAL(18, 2)) AS return_amount,
    CAST(MIN(order_ts) FILTER (WHERE fate = 'kept') AS DATE) AS first_day,
    CAST(MAX(order_ts) FILTER (WHERE fate = 'kept') AS DATE) AS last_day
FROM transactions.judged
GROUP BY period, fate
ORDER BY period, fate
