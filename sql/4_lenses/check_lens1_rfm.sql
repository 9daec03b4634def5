-- Offending rows: the cells do not sum to the headline of the same window.
WITH parts AS (
    SELECT
        COALESCE(SUM(customers), 0) AS customers,
        COALESCE(SUM(orders), 0) AS orders,
        COALESCE(SUM(spend), 0) AS spend,
        COALESCE(SUM(profit), 0) AS profit
    FROM staged_lenses_lens1_rfm
)

SELECT p.*, h.customers AS headline_customers, h.orders AS headline_orders, h.spend AS headline_spend, h.profit AS headline_profit
FROM parts AS p
CROSS JOIN staged_lenses_lens1_headline AS h
WHERE p.customers <> h.customers OR p.orders <> h.orders OR p.spend <> h.spend OR p.profit <> h.profit
