-- One row per month from $since on: lines, and those of them that lack something.
SELECT
    period,
    COUNT(*) AS lines,
    COUNT(*) - COUNT(customer_id) AS missing_customer_id,
    COUNT(*) - COUNT(product_id) AS missing_product_id,
    COUNT(*) - COUNT(line_cost) AS missing_line_cost
FROM transactions.lines
WHERE period >= $since
GROUP BY period
ORDER BY period
