-- One row per customer active in window $window_number: what it ordered there.
--
-- Without its name: equal rows are the same to every distribution, and the order of rows is that of their values.
SELECT
    CASE WHEN $window_number = 1 THEN orders_1 ELSE orders_2 END AS orders,
    CASE WHEN $window_number = 1 THEN spend_1 ELSE spend_2 END AS spend,
    CASE WHEN $window_number = 1 THEN profit_1 ELSE profit_2 END AS profit
FROM lenses.window_customers
WHERE CASE WHEN $window_number = 1 THEN orders_1 ELSE orders_2 END > 0
ORDER BY orders, spend, profit
