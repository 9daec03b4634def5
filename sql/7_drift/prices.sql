-- One row per month from $since on and product that was sold: how many lines, its mean price and cost and their spread.
WITH sold AS (
    SELECT
        period,
        product_id,
        CAST(line_total AS DOUBLE) AS spend,
        CAST(line_total AS DOUBLE) / CAST(quantity AS DOUBLE) AS price,
        CAST(line_cost AS DOUBLE) / CAST(quantity AS DOUBLE) AS unit_cost
    FROM transactions.lines
    WHERE period >= $since AND quantity > 0 AND line_total > 0 AND product_id IS NOT NULL
)

SELECT
    period,
    product_id,
    COUNT(*) AS lines,
    SUM(spend) AS spend,
    SUM(price) / COUNT(*) AS price,
    SUM(price * price) / COUNT(*) AS price_squared,
    CASE WHEN COUNT(unit_cost) = COUNT(*) THEN SUM(unit_cost) / COUNT(*) END AS unit_cost
FROM sold
GROUP BY period, product_id
ORDER BY period, product_id
