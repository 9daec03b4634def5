-- Offending rows: periods that are not the sum of their cohorts, or acquisitions that are not the cohorts' sizes.
WITH shares AS (
    SELECT grain, calendar_period, SUM(active) AS active, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens5_cohort_shares
    GROUP BY grain, calendar_period
),
sizes AS (
    SELECT grain, cohort AS calendar_period, MAX(cohort_size) AS cohort_size
    FROM staged_lenses_lens4_cohort_grid
    WHERE cohort_size IS NOT NULL
    GROUP BY grain, cohort
)
SELECT p.*, s.active AS cohorts_active, s.orders AS cohorts_orders, s.spend AS cohorts_spend, s.profit AS cohorts_profit
FROM staged_lenses_lens5_periods AS p
LEFT JOIN shares AS s ON p.grain = s.grain AND p.calendar_period = s.calendar_period
LEFT JOIN sizes AS z ON p.grain = z.grain AND p.calendar_period = z.calendar_period
WHERE s.active IS NULL OR p.active <> s.active OR p.orders <> s.orders OR p.spend <> s.spend OR p.profit <> s.profit
    OR p.acquired <> COALESCE(z.cohort_size, 0)
