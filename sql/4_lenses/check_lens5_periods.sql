-- Offending rows: periods that are not the sum of their cohorts, by acquisition or, where there are any, by behaviour; or
-- acquisitions that are not the cohorts' sizes.
WITH sums AS (
    SELECT 'acquisition' AS kind, grain, calendar_period, SUM(acquired) AS acquired, SUM(active) AS active,
        SUM(active_again) AS active_again, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens5_cohort_shares
    GROUP BY grain, calendar_period
    UNION ALL
    SELECT 'behaviour' AS kind, grain, calendar_period, SUM(acquired) AS acquired, SUM(active) AS active,
        SUM(active_again) AS active_again, SUM(orders) AS orders, SUM(spend) AS spend, SUM(profit) AS profit
    FROM staged_lenses_lens5_behaviour_calendar
    GROUP BY grain, calendar_period
),
kinds AS (
    SELECT 'acquisition' AS kind
    UNION
    SELECT kind FROM sums
),
sizes AS (
    SELECT grain, cohort AS calendar_period, MAX(cohort_size) AS cohort_size
    FROM staged_lenses_lens4_cohort_grid
    WHERE cohort_size IS NOT NULL
    GROUP BY grain, cohort
)
SELECT p.*, k.kind, s.active AS cohorts_active, s.orders AS cohorts_orders, s.spend AS cohorts_spend,
    s.profit AS cohorts_profit
FROM staged_lenses_lens5_periods AS p
CROSS JOIN kinds AS k
LEFT JOIN sums AS s ON k.kind = s.kind AND p.grain = s.grain AND p.calendar_period = s.calendar_period
LEFT JOIN sizes AS z ON p.grain = z.grain AND p.calendar_period = z.calendar_period
WHERE s.active IS NULL OR p.acquired <> s.acquired OR p.active <> s.active OR p.active_again <> s.active_again
    OR p.orders <> s.orders OR p.spend <> s.spend OR p.profit <> s.profit OR p.acquired <> COALESCE(z.cohort_size, 0)
