-- Offending rows: the groups of the second window do not sum to the headline of Lens 1.
WITH groups AS (
    SELECT COALESCE(SUM(customers) FILTER (WHERE customer_group <> 'first_only'), 0) AS customers,
        COALESCE(SUM(orders_2), 0) AS orders, COALESCE(SUM(spend_2), 0) AS spend, COALESCE(SUM(profit_2), 0) AS profit
    FROM staged_lenses_lens2_groups
)
SELECT g.*, h.customers AS headline_customers, h.orders AS headline_orders, h.spend AS headline_spend, h.profit AS headline_profit
FROM groups AS g
CROSS JOIN staged_lenses_lens1_headline AS h
WHERE g.customers <> h.customers OR g.orders <> h.orders OR g.spend <> h.spend OR g.profit <> h.profit
