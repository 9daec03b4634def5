-- One row per month from $since on: lines, and those of them that lack something or repeat another.
--
-- A line repeats another of the same customer, moment, product, quantity and amount, whatever their orders and ids.
WITH alike AS (
    SELECT
        period,
        customer_id,
        product_id,
        COUNT(*) AS lines,
        COUNT(line_cost) AS lines_with_cost
    FROM transactions.lines
    WHERE period >= $since
    GROUP BY period, customer_id, product_id, order_ts, quantity, line_total
)

SELECT
    period,
    CAST(SUM(lines) AS BIGINT) AS lines,
    CAST(SUM(lines - 1) AS BIGINT) AS repeated_lines,
    CAST(SUM(CASE WHEN customer_id IS NULL THEN lines ELSE 0 END) AS BIGINT) AS missing_customer_id,
    CAST(SUM(CASE WHEN product_id IS NULL THEN lines ELSE 0 END) AS BIGINT) AS missing_product_id,
    CAST(SUM(lines - lines_with_cost) AS BIGINT) AS missing_line_cost
FROM alike
GROUP BY period
ORDER BY period
