-- One row per customer with at least one order: when acquired, and in which cohort of $cohort_months (1, 3 or
-- 12).
--
-- Acquired on the customer file's date, else on the first order. A date after the first order is not
-- believed: who has ordered is a customer, and an as-of month must not know of later dates. Those acquired
-- before $data_start form one cohort, 'before 1997-01', without a start.
WITH ordered AS (
    SELECT
        customer_id,
        MIN(first_order) AS first_order,
        MAX(last_order) AS last_order
    FROM marts.customer_periods
    WHERE orders > 0
    GROUP BY customer_id
),

-- With history a customer has several versions, with one date.
acquired AS (
    SELECT
        customer_id,
        MIN(acquisition_ts) AS acquisition_ts
    FROM landing.customers
    GROUP BY customer_id
),

dated AS (
    SELECT
        o.customer_id,
        o.first_order,
        o.last_order,
        CASE
            WHEN f.acquisition_ts < o.first_order THEN f.acquisition_ts
            ELSE o.first_order
        END AS acquisition_ts
    FROM ordered AS o
    LEFT JOIN acquired AS f ON o.customer_id = f.customer_id
),

labelled AS (
    SELECT
        customer_id,
        first_order,
        last_order,
        acquisition_ts,
        STRFTIME(acquisition_ts, '%Y-%m') < $data_start AS acquired_before_data,
        STRFTIME(acquisition_ts, '%Y') AS acquisition_year,
        CAST(EXTRACT(MONTH FROM acquisition_ts) AS BIGINT) AS acquisition_month
    FROM dated
)

SELECT
    customer_id,
    acquisition_ts,
    acquired_before_data,
    CASE
        WHEN acquired_before_data THEN CONCAT('before ', $data_start)
        WHEN $cohort_months = 12 THEN acquisition_year
        WHEN $cohort_months = 3 THEN CONCAT(
            acquisition_year, 'Q', CASE
                WHEN acquisition_month <= 3 THEN '1'
                WHEN acquisition_month <= 6 THEN '2'
                WHEN acquisition_month <= 9 THEN '3'
                ELSE '4'
            END
        )
        ELSE STRFTIME(acquisition_ts, '%Y-%m')
    END AS cohort,
    CASE
        WHEN acquired_before_data THEN NULL
        WHEN $cohort_months = 12 THEN CONCAT(acquisition_year, '-01')
        WHEN $cohort_months = 3 THEN CONCAT(
            acquisition_year, CASE
                WHEN acquisition_month <= 3 THEN '-01'
                WHEN acquisition_month <= 6 THEN '-04'
                WHEN acquisition_month <= 9 THEN '-07'
                ELSE '-10'
            END
        )
        ELSE STRFTIME(acquisition_ts, '%Y-%m')
    END AS cohort_start,
    first_order,
    last_order
FROM labelled
