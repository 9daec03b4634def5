-- One row per grain and calendar period since the data start: the whole base, what its newest cohort adds and what the
-- earlier ones carry over.
--
-- acquired: customers acquired in the period, the newest cohort. profit_earlier: profit from customers of all
-- earlier cohorts; carry_over is that / profit of the period before, and carry_over_active the same of active
-- customers. repeat_buying_rate: of those active in the period before, the share active in this one. spend and profit hold the returns of customers who did not order.
WITH totals AS (
    SELECT
        c.grain,
        c.months,
        c.calendar_index,
        c.calendar_period,
        c.complete,
        SUM(c.acquired) AS acquired,
        SUM(c.active) AS active,
        SUM(c.active_again) AS active_again,
        SUM(c.orders) AS orders,
        SUM(c.spend) AS spend,
        SUM(c.profit) AS profit,
        COALESCE(SUM(c.active) FILTER (WHERE c.calendar_index = c.cohort_index), 0) AS active_newest,
        COALESCE(SUM(c.spend) FILTER (WHERE c.calendar_index = c.cohort_index), 0) AS spend_newest,
        COALESCE(SUM(c.profit) FILTER (WHERE c.calendar_index = c.cohort_index), 0) AS profit_newest
    FROM lenses.cohort_cells AS c
    GROUP BY c.grain, c.months, c.calendar_index, c.calendar_period, c.complete
),

followed AS (
    SELECT
        *,
        LAG(active) OVER earlier AS active_before,
        LAG(profit) OVER earlier AS profit_before
    FROM totals
    WINDOW earlier AS (PARTITION BY months ORDER BY calendar_index)
)

SELECT
    $as_of AS as_of,
    grain,
    calendar_period,
    complete,
    CAST(acquired AS BIGINT) AS acquired,
    CAST(active AS BIGINT) AS active,
    CAST(orders AS BIGINT) AS orders,
    CAST(spend AS DECIMAL(18, 2)) AS spend,
    CAST(profit AS DECIMAL(18, 2)) AS profit,
    CAST(orders AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(CAST(orders AS DOUBLE), 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS profit_per_active,
    CAST(active_newest AS BIGINT) AS active_newest,
    CAST(active_newest AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS share_active_newest,
    CAST(spend_newest AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS share_spend_newest,
    CAST(profit_newest AS DOUBLE) / NULLIF(CAST(profit AS DOUBLE), 0) AS share_profit_newest,
    CAST(profit - profit_newest AS DECIMAL(18, 2)) AS profit_earlier,
    CASE
        WHEN profit_before > 0 THEN CAST(profit - profit_newest AS DOUBLE) / CAST(profit_before AS DOUBLE)
    END AS carry_over,
    CAST(active - active_newest AS DOUBLE) / NULLIF(CAST(active_before AS DOUBLE), 0) AS carry_over_active,
    CAST(active_again AS BIGINT) AS active_again,
    CAST(active_again AS DOUBLE) / NULLIF(CAST(active_before AS DOUBLE), 0) AS repeat_buying_rate
FROM followed
ORDER BY months, calendar_index
