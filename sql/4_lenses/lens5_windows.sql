-- One row per lens window of $window_months months, counted back from the one that ends at $as_of (windows_back 0) to
-- the data start: the base as lenses 1 and 2 see it.
--
-- A customer counts in a window only if active in it, so windows_back 0 and 1 equal lens1_headline and lens2_groups.
-- acquired: customers acquired in the window; profit_earlier: profit of the active customers acquired before it;
-- carry_over: that / profit of the window before, carry_over_active the same of active customers. complete: the data cover the whole window.
WITH last_month AS (
    SELECT CAST(SUBSTR($as_of, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($as_of, 6, 2) AS BIGINT) - 1 AS as_of_index
),

first_month AS (
    SELECT CAST(SUBSTR($data_start, 1, 4) AS BIGINT) * 12 + CAST(SUBSTR($data_start, 6, 2) AS BIGINT) - 1 AS start_index
),

digits AS (
    SELECT CAST(digit AS BIGINT) AS digit
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (digit)
),

windows AS (
    SELECT
        100 * h.digit + 10 * t.digit + u.digit AS windows_back,
        l.as_of_index - (100 * h.digit + 10 * t.digit + u.digit) * $window_months AS last_index,
        l.as_of_index - (100 * h.digit + 10 * t.digit + u.digit + 1) * $window_months + 1 AS first_index,
        f.start_index
    FROM last_month AS l
    CROSS JOIN first_month AS f
    CROSS JOIN digits AS h
    CROSS JOIN digits AS t
    CROSS JOIN digits AS u
    WHERE l.as_of_index - (100 * h.digit + 10 * t.digit + u.digit) * $window_months >= f.start_index
),

by_customer AS (
    SELECT
        w.windows_back,
        m.customer_no,
        COALESCE(MAX(m.acquired_month) >= MAX(w.first_index), FALSE) AS is_new,
        SUM(m.orders) AS orders,
        SUM(m.spend) AS spend,
        SUM(m.profit) AS profit
    FROM lenses.customer_months AS m
    INNER JOIN windows AS w ON m.month_index BETWEEN w.first_index AND w.last_index
    WHERE m.customer_no IS NOT NULL
    GROUP BY w.windows_back, m.customer_no
    HAVING SUM(m.orders) > 0
),

totals AS (
    SELECT
        windows_back,
        COUNT(*) AS active,
        SUM(orders) AS orders,
        SUM(spend) AS spend,
        SUM(profit) AS profit,
        COUNT(*) FILTER (WHERE is_new) AS active_new,
        COALESCE(SUM(profit) FILTER (WHERE NOT is_new), 0) AS profit_earlier
    FROM by_customer
    GROUP BY windows_back
),

again AS (
    SELECT b.windows_back, COUNT(*) AS active_again
    FROM by_customer AS a
    INNER JOIN by_customer AS b ON a.customer_no = b.customer_no AND a.windows_back = b.windows_back + 1
    GROUP BY b.windows_back
),

acquisitions AS (
    SELECT w.windows_back, COUNT(*) AS acquired
    FROM lenses.members AS m
    INNER JOIN windows AS w ON m.acquired_month BETWEEN w.first_index AND w.last_index
    GROUP BY w.windows_back
),

filled AS (
    SELECT
        w.windows_back,
        w.first_index,
        w.last_index,
        w.first_index >= w.start_index
        AND (w.windows_back > 0 OR STRFTIME($as_of_end + INTERVAL 1 DAY, '%Y-%m') > $as_of) AS complete,
        COALESCE(q.acquired, 0) AS acquired,
        COALESCE(t.active, 0) AS active,
        COALESCE(t.orders, 0) AS orders,
        COALESCE(t.spend, 0) AS spend,
        COALESCE(t.profit, 0) AS profit,
        COALESCE(t.active_new, 0) AS active_new,
        COALESCE(t.profit_earlier, 0) AS profit_earlier,
        COALESCE(a.active_again, 0) AS active_again,
        LAG(COALESCE(t.active, 0)) OVER (ORDER BY w.last_index) AS active_before,
        LAG(COALESCE(t.profit, 0)) OVER (ORDER BY w.last_index) AS profit_before
    FROM windows AS w
    LEFT JOIN totals AS t ON w.windows_back = t.windows_back
    LEFT JOIN again AS a ON w.windows_back = a.windows_back
    LEFT JOIN acquisitions AS q ON w.windows_back = q.windows_back
)

SELECT
    $as_of AS as_of,
    windows_back,
    CONCAT(
        LPAD(CAST(CAST(FLOOR(CAST(first_index AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
        '-',
        LPAD(CAST(first_index % 12 + 1 AS VARCHAR), 2, '0')
    ) AS window_start,
    CONCAT(
        LPAD(CAST(CAST(FLOOR(CAST(last_index AS DOUBLE) / 12) AS BIGINT) AS VARCHAR), 4, '0'),
        '-',
        LPAD(CAST(last_index % 12 + 1 AS VARCHAR), 2, '0')
    ) AS window_end,
    complete AS window_complete,
    CAST(acquired AS BIGINT) AS acquired,
    CAST(active AS BIGINT) AS active,
    CAST(orders AS BIGINT) AS orders,
    CAST(spend AS DECIMAL(18, 2)) AS spend,
    CAST(profit AS DECIMAL(18, 2)) AS profit,
    CAST(orders AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(CAST(orders AS DOUBLE), 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS profit_per_active,
    CAST(active_new AS BIGINT) AS active_newest,
    CAST(active_new AS DOUBLE) / NULLIF(CAST(active AS DOUBLE), 0) AS share_active_newest,
    CAST(profit - profit_earlier AS DOUBLE) / NULLIF(CAST(profit AS DOUBLE), 0) AS share_profit_newest,
    CAST(profit_earlier AS DECIMAL(18, 2)) AS profit_earlier,
    CASE WHEN profit_before > 0 THEN CAST(profit_earlier AS DOUBLE) / CAST(profit_before AS DOUBLE) END AS carry_over,
    CAST(active - active_new AS DOUBLE) / NULLIF(CAST(active_before AS DOUBLE), 0) AS carry_over_active,
    CAST(active_again AS BIGINT) AS active_again,
    CAST(active_again AS DOUBLE) / NULLIF(CAST(active_before AS DOUBLE), 0) AS repeat_buying_rate
FROM filled
ORDER BY windows_back
