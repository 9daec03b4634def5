-- Offending rows: grains whose weeks do not add up to the orders and spend of all customers whom lenses 3 to 5 see.
WITH sums AS (
    SELECT grain, SUM(first_orders + repeat_orders) AS orders, SUM(first_spend + repeat_spend) AS spend
    FROM staged_lenses_lens3_weekly_sales
    GROUP BY grain
),
totals AS (
    SELECT COUNT(*) AS all_orders, COALESCE(SUM(spend), 0) AS all_spend
    FROM marts.orders
    WHERE customer_id IN (SELECT customer_id FROM lenses.base_customers WHERE in_base)
)
SELECT s.*, t.all_orders, t.all_spend
FROM sums AS s
CROSS JOIN totals AS t
WHERE s.orders <> t.all_orders OR s.spend <> t.all_spend
