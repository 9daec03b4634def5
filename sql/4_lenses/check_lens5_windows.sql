-- Offending rows: the latest two windows differ from lens 2, and so from lens 1; where lenses 3 to 5 see only some
-- customers, from the sums of these customers.
WITH both_windows AS (
    SELECT 0 AS windows_back, customer_id, orders_2 AS orders, spend_2 AS spend, profit_2 AS profit
    FROM lenses.window_customers
    UNION ALL
    SELECT 1 AS windows_back, customer_id, orders_1 AS orders, spend_1 AS spend, profit_1 AS profit
    FROM lenses.window_customers
),
seen AS (
    SELECT
        w.windows_back, COUNT(*) AS customers, SUM(w.orders) AS orders, SUM(w.spend) AS spend, SUM(w.profit) AS profit
    FROM both_windows AS w
    INNER JOIN lenses.base_customers AS b ON w.customer_id = b.customer_id
    WHERE b.in_base AND w.orders > 0
    GROUP BY w.windows_back
),
expected AS (
    SELECT 2 - window_number AS windows_back, customers, orders, spend, profit, TRUE AS of_everybody
    FROM staged_lenses_lens2_headline
    UNION ALL
    SELECT windows_back, customers, orders, spend, profit, FALSE AS of_everybody
    FROM seen
)
SELECT e.*, w.active, w.orders AS window_orders, w.spend AS window_spend, w.profit AS window_profit
FROM expected AS e
INNER JOIN staged_lenses_lens5_windows AS w ON e.windows_back = w.windows_back
WHERE (e.customers <> w.active OR e.orders <> w.orders OR e.spend <> w.spend OR e.profit <> w.profit)
    AND (NOT e.of_everybody OR NOT EXISTS (SELECT 1 FROM lenses.base_customers WHERE NOT in_base))
