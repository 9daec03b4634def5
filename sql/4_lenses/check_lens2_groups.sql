-- Offending rows: the groups do not sum to the headline of either window.
WITH groups AS (
    SELECT
        1 AS window_number,
        COALESCE(SUM(customers) FILTER (WHERE customer_group IN ('first_only', 'both')), 0) AS customers,
        COALESCE(SUM(orders_1), 0) AS orders,
        COALESCE(SUM(spend_1), 0) AS spend,
        COALESCE(SUM(profit_1), 0) AS profit
    FROM staged_lenses_lens2_groups
    UNION ALL
    SELECT
        2 AS window_number,
        COALESCE(SUM(customers) FILTER (WHERE customer_group <> 'first_only'), 0) AS customers,
        COALESCE(SUM(orders_2), 0) AS orders,
        COALESCE(SUM(spend_2), 0) AS spend,
        COALESCE(SUM(profit_2), 0) AS profit
    FROM staged_lenses_lens2_groups
)

SELECT g.*, h.customers AS headline_customers, h.orders AS headline_orders, h.spend AS headline_spend, h.profit AS headline_profit
FROM groups AS g
INNER JOIN staged_lenses_lens2_headline AS h ON g.window_number = h.window_number
WHERE g.customers <> h.customers OR g.orders <> h.orders OR g.spend <> h.spend OR g.profit <> h.profit
