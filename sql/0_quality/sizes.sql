-- One row per size class of the orders up to $as_of with a positive spend: each class begins 5% above the one before.
SELECT
    CAST(FLOOR(LN(CAST(spend AS DOUBLE)) / LN(1.05)) AS BIGINT) AS size_class,
    COUNT(*) AS orders,
    CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend
FROM marts.orders
WHERE spend > 0
GROUP BY CAST(FLOOR(LN(CAST(spend AS DOUBLE)) / LN(1.05)) AS BIGINT)
ORDER BY size_class
