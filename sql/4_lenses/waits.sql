-- One row per month of acquisition, number of an order (10: tenth or later) and days until the customer's next order
-- (null: none yet): how many orders were followed so.
WITH last_orders AS (
    SELECT customer_no, acquired_month, MAX(order_number) AS order_number
    FROM lenses.numbered_orders
    WHERE order_number IS NOT NULL
    GROUP BY customer_no, acquired_month
),

followed AS (
    SELECT acquired_month, order_number - 1 AS order_number, days_since_previous AS days
    FROM lenses.numbered_orders
    WHERE order_number >= 2
    UNION ALL
    SELECT acquired_month, order_number, CAST(NULL AS BIGINT) AS days
    FROM last_orders
)

SELECT acquired_month, LEAST(order_number, CAST(10 AS BIGINT)) AS from_order, days, COUNT(*) AS orders
FROM followed
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
