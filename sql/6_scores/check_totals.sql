-- Offending rows: levels whose groups do not add up to the scored customers, or to their value but for the last digits.
SELECT t.level, SUM(t.customers) AS customers, SUM(t.clv) AS clv, MIN(s.customers) AS scored, MIN(s.clv) AS scored_clv
FROM staged_scores_totals AS t
CROSS JOIN (SELECT COUNT(*) AS customers, SUM(clv) AS clv FROM scores.customers) AS s
GROUP BY t.level
HAVING SUM(t.customers) <> MIN(s.customers) OR ABS(SUM(t.clv) - MIN(s.clv)) > 0.000001 * MIN(s.clv)
