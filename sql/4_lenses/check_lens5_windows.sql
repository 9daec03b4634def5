-- Offending rows: the latest window differs from lens 1, or the one before from lens 2; where lenses 3 to 5 see only some
-- customers, from the sums of these customers.
WITH seen AS (
    SELECT w.*
    FROM lenses.window_customers AS w
    INNER JOIN lenses.base_customers AS b ON w.customer_id = b.customer_id
    WHERE b.in_base
),
expected AS (
    SELECT 0 AS windows_back, customers, orders, spend, profit, TRUE AS of_everybody
    FROM staged_lenses_lens1_headline
    UNION ALL
    SELECT
        1 AS windows_back,
        COALESCE(SUM(customers) FILTER (WHERE customer_group IN ('first_only', 'both')), 0) AS customers,
        COALESCE(SUM(orders_1), 0) AS orders,
        COALESCE(SUM(spend_1), 0) AS spend,
        COALESCE(SUM(profit_1), 0) AS profit,
        TRUE AS of_everybody
    FROM staged_lenses_lens2_groups
    UNION ALL
    SELECT
        0 AS windows_back,
        COUNT(*) AS customers,
        COALESCE(SUM(orders_2), 0) AS orders,
        COALESCE(SUM(spend_2), 0) AS spend,
        COALESCE(SUM(profit_2), 0) AS profit,
        FALSE AS of_everybody
    FROM seen
    WHERE orders_2 > 0
    UNION ALL
    SELECT
        1 AS windows_back,
        COUNT(*) AS customers,
        COALESCE(SUM(orders_1), 0) AS orders,
        COALESCE(SUM(spend_1), 0) AS spend,
        COALESCE(SUM(profit_1), 0) AS profit,
        FALSE AS of_everybody
    FROM seen
    WHERE orders_1 > 0
)
SELECT e.*, w.active, w.orders AS window_orders, w.spend AS window_spend, w.profit AS window_profit
FROM expected AS e
INNER JOIN staged_lenses_lens5_windows AS w ON e.windows_back = w.windows_back
WHERE (e.customers <> w.active OR e.orders <> w.orders OR e.spend <> w.spend OR e.profit <> w.profit)
    AND (NOT e.of_everybody OR NOT EXISTS (SELECT 1 FROM lenses.base_customers WHERE NOT in_base))
