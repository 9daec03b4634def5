-- One row per grain, behavioural cohort and age: what customers did so many periods after their own acquisition.
--
-- cohort_size: the customers whose period of that age has ended, so that all of them could be active in it, whenever
-- they were acquired. complete: false where none has ended yet; then they are those who are in it. What is cumulated
-- (profit, customers with a second order) is of the customers counted at that age, from their acquisition on.
-- Customers acquired before the data starts have no known age. No row without $cohort_by.
WITH acquired AS (
    SELECT g.months, b.cohort, m.acquired_month - m.acquired_month % g.months AS acquired_index, COUNT(*) AS customers
    FROM lenses.behaviours AS b
    INNER JOIN lenses.members AS m ON b.customer_no = m.customer_no
    CROSS JOIN (SELECT DISTINCT months FROM lenses.calendar) AS g
    WHERE m.acquired_month IS NOT NULL
    GROUP BY 1, 2, 3
),

sums AS (
    SELECT
        c.months,
        b.cohort,
        c.cohort_index AS acquired_index,
        c.calendar_index,
        COUNT(*) FILTER (WHERE c.orders > 0) AS active,
        SUM(c.orders) AS orders,
        SUM(c.spend) AS spend,
        SUM(c.profit) AS profit
    FROM lenses.customer_cells AS c
    INNER JOIN lenses.behaviours AS b ON c.customer_no = b.customer_no
    WHERE c.cohort_index IS NOT NULL
    GROUP BY 1, 2, 3, 4
),

second_months AS (
    SELECT
        b.cohort,
        n.acquired_month,
        CAST(EXTRACT(YEAR FROM n.order_day) AS BIGINT) * 12
        + CAST(EXTRACT(MONTH FROM n.order_day) AS BIGINT) - 1 AS month_index,
        COUNT(*) AS second_orders
    FROM lenses.numbered_orders AS n
    INNER JOIN lenses.behaviours AS b ON n.customer_no = b.customer_no
    WHERE n.order_number = 2
    GROUP BY 1, 2, 3
),

seconds AS (
    SELECT
        g.months,
        s.cohort,
        s.acquired_month - s.acquired_month % g.months AS acquired_index,
        s.month_index - s.month_index % g.months AS calendar_index,
        SUM(s.second_orders) AS second_orders
    FROM second_months AS s
    CROSS JOIN (SELECT DISTINCT months FROM lenses.calendar) AS g
    GROUP BY 1, 2, 3, 4
),

cells AS (
    SELECT
        k.grain,
        k.months,
        a.cohort,
        CAST(FLOOR(CAST(k.calendar_index - a.acquired_index AS DOUBLE) / k.months) AS BIGINT) AS age,
        k.complete,
        a.customers,
        COALESCE(s.active, 0) AS active,
        COALESCE(s.orders, 0) AS orders,
        COALESCE(s.spend, 0) AS spend,
        COALESCE(s.profit, 0) AS profit,
        SUM(COALESCE(s.profit, 0)) OVER so_far AS profit_so_far,
        SUM(COALESCE(n.second_orders, 0)) OVER so_far AS second_so_far
    FROM acquired AS a
    INNER JOIN lenses.calendar AS k ON a.months = k.months AND a.acquired_index <= k.calendar_index
    LEFT JOIN sums AS s
        ON a.months = s.months AND a.cohort = s.cohort AND a.acquired_index = s.acquired_index
        AND k.calendar_index = s.calendar_index
    LEFT JOIN seconds AS n
        ON a.months = n.months AND a.cohort = n.cohort AND a.acquired_index = n.acquired_index
        AND k.calendar_index = n.calendar_index
    WINDOW so_far AS (
        PARTITION BY a.months, a.cohort, a.acquired_index ORDER BY k.calendar_index
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),

ages AS (
    SELECT
        grain,
        months,
        cohort,
        age,
        complete,
        CAST(SUM(customers) AS BIGINT) AS cohort_size,
        CAST(SUM(active) AS BIGINT) AS active,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
        CAST(SUM(profit_so_far) AS DECIMAL(18, 2)) AS profit_so_far,
        CAST(SUM(second_so_far) AS BIGINT) AS customers_with_second
    FROM cells
    GROUP BY grain, months, cohort, age, complete
)

SELECT
    $as_of AS as_of,
    grain,
    cohort,
    age,
    complete,
    cohort_size,
    active,
    CAST(active AS DOUBLE) / cohort_size AS pct_active,
    orders,
    spend,
    profit,
    CAST(orders AS DOUBLE) / NULLIF(active, 0) AS aof,
    CAST(spend AS DOUBLE) / NULLIF(orders, 0) AS aov,
    CAST(profit AS DOUBLE) / NULLIF(CAST(spend AS DOUBLE), 0) AS margin,
    CAST(profit AS DOUBLE) / NULLIF(active, 0) AS profit_per_active,
    CAST(profit AS DOUBLE) / cohort_size AS profit_per_acquired,
    CAST(profit_so_far AS DOUBLE) / cohort_size AS cumulative_profit_per_acquired,
    customers_with_second,
    CAST(customers_with_second AS DOUBLE) / cohort_size AS pct_second_order
FROM ages
QUALIFY ROW_NUMBER() OVER (PARTITION BY months, cohort, age ORDER BY CASE WHEN complete THEN 0 ELSE 1 END) = 1
ORDER BY months, cohort, age
