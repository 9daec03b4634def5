-- One row per day with an order up to $as_of, and the number of orders in each part of it: at the stroke of midnight
-- (as of dates without a time), from 7 to 22 o'clock.
SELECT
    CAST(order_ts AS DATE) AS order_day,
    COUNT(*) AS orders,
    COUNT(*) FILTER (WHERE order_ts = CAST(CAST(order_ts AS DATE) AS TIMESTAMP)) AS at_midnight,
    COUNT(*) FILTER (WHERE EXTRACT(HOUR FROM order_ts) BETWEEN 7 AND 21) AS by_day
FROM marts.orders
GROUP BY CAST(order_ts AS DATE)
ORDER BY order_day
