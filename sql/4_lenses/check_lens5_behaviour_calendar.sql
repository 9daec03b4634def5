-- Offending rows: periods that are not the sum of their behavioural cohorts, where there are any.
WITH sums AS (
    SELECT grain, calendar_period, SUM(acquired) AS acquired, SUM(active) AS active, SUM(orders) AS orders,
        SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens5_behaviour_calendar
    GROUP BY grain, calendar_period
)
SELECT p.*, s.active AS cohorts_active, s.orders AS cohorts_orders, s.spend AS cohorts_spend, s.profit AS cohorts_profit
FROM staged_lenses_lens5_periods AS p
LEFT JOIN sums AS s ON p.grain = s.grain AND p.calendar_period = s.calendar_period
WHERE EXISTS (SELECT 1 FROM sums)
    AND (
        s.active IS NULL OR p.acquired <> s.acquired OR p.active <> s.active OR p.orders <> s.orders
        OR p.spend <> s.spend OR p.profit <> s.profit
    )
