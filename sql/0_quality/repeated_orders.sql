-- One row: the orders up to $as_of that repeat another one of the same customer, at the same time and of the same spend,
-- quantity and products, under another id.
SELECT CAST(COALESCE(SUM(copies - 1), 0) AS BIGINT) AS repeated, CAST(COALESCE(SUM(copies), 0) AS BIGINT) AS orders
FROM (
    SELECT COUNT(*) AS copies
    FROM marts.orders
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, order_ts, spend, quantity, products
) AS alike
