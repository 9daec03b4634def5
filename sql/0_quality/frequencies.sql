-- One row per customer with an order up to $as_of: the purchase days after the first.
SELECT CAST(SUM(order_days) AS BIGINT) - 1 AS frequency
FROM marts.customer_periods
GROUP BY customer_id
HAVING SUM(orders) > 0
