-- Offending rows: the latest window differs from lens 1, or the one before from lens 2.
WITH expected AS (
    SELECT 0 AS windows_back, customers, orders, spend, profit
    FROM staged_lenses_lens1_headline
    UNION ALL
    SELECT
        1 AS windows_back,
        COALESCE(SUM(customers) FILTER (WHERE customer_group IN ('first_only', 'both')), 0) AS customers,
        COALESCE(SUM(orders_1), 0) AS orders,
        COALESCE(SUM(spend_1), 0) AS spend,
        COALESCE(SUM(profit_1), 0) AS profit
    FROM staged_lenses_lens2_groups
)
SELECT e.*, w.active, w.orders AS window_orders, w.spend AS window_spend, w.profit AS window_profit
FROM expected AS e
INNER JOIN staged_lenses_lens5_windows AS w ON e.windows_back = w.windows_back
WHERE e.customers <> w.active OR e.orders <> w.orders OR e.spend <> w.spend OR e.profit <> w.profit
