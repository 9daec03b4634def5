-- One row per month from $since on: lines, and those of them that repeat another.
--
-- A line repeats another of the same customer, moment, product, quantity and amount, whatever their orders and ids.
WITH alike AS (
    SELECT period, COUNT(*) AS lines
    FROM transactions.lines
    WHERE period >= $since
    GROUP BY period, customer_id, product_id, order_ts, quantity, line_total
)

SELECT
    period,
    CAST(SUM(lines) AS BIGINT) AS lines,
    CAST(SUM(lines - 1) AS BIGINT) AS repeated_lines
FROM alike
GROUP BY period
ORDER BY period
