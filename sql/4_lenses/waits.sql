-- One row per month of acquisition, number of an order (5: fifth or later) and days until the customer's next order:
-- how often that was the wait.
SELECT
    acquired_month,
    CASE WHEN order_number > 6 THEN 5 ELSE order_number - 1 END AS from_order,
    days_since_previous AS days,
    COUNT(*) AS intervals
FROM lenses.numbered_orders
WHERE order_number >= 2
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
