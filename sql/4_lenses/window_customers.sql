-- One row per customer with an order or a return in either window: orders, spend and profit of each.
--
-- Without an order in a window, spend and profit of that window are of returns only, and the customer was
-- not active in it. is_new: acquired in window 2.
WITH bounds AS (
    SELECT
        MAX(CASE WHEN window_number = 1 THEN window_start END) AS start_1,
        MAX(CASE WHEN window_number = 2 THEN window_start END) AS start_2
    FROM lenses.windows
),

by_customer AS (
    SELECT
        p.customer_id,
        MAX(b.start_2) AS start_2,
        SUM(CASE WHEN p.period < b.start_2 THEN p.orders ELSE 0 END) AS orders_1,
        SUM(CASE WHEN p.period < b.start_2 THEN p.spend ELSE 0 END) AS spend_1,
        SUM(CASE WHEN p.period < b.start_2 THEN p.profit ELSE 0 END) AS profit_1,
        SUM(CASE WHEN p.period >= b.start_2 THEN p.orders ELSE 0 END) AS orders_2,
        SUM(CASE WHEN p.period >= b.start_2 THEN p.spend ELSE 0 END) AS spend_2,
        SUM(CASE WHEN p.period >= b.start_2 THEN p.profit ELSE 0 END) AS profit_2,
        MAX(CASE WHEN p.period >= b.start_2 AND p.orders > 0 THEN p.period END) AS last_active_2
    FROM marts.customer_periods AS p
    INNER JOIN bounds AS b ON p.period >= b.start_1
    GROUP BY p.customer_id
)

SELECT
    b.customer_id,
    CAST(b.orders_1 AS BIGINT) AS orders_1,
    CAST(b.spend_1 AS DECIMAL(18, 2)) AS spend_1,
    CAST(b.profit_1 AS DECIMAL(18, 2)) AS profit_1,
    CAST(b.orders_2 AS BIGINT) AS orders_2,
    CAST(b.spend_2 AS DECIMAL(18, 2)) AS spend_2,
    CAST(b.profit_2 AS DECIMAL(18, 2)) AS profit_2,
    b.last_active_2,
    COALESCE(STRFTIME(c.acquisition_ts, '%Y-%m') >= b.start_2, FALSE) AS is_new
FROM by_customer AS b
LEFT JOIN marts.customers AS c ON b.customer_id = c.customer_id
