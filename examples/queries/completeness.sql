-- Completeness by month: how many of the expected values, one in 15 minutes, each sensor sent, in percent.
SELECT mote, property, substr(time, 1, 7) AS month, count(DISTINCT time) AS received,
       100.0 * count(DISTINCT time) / 96 / (julianday(substr(time, 1, 7) || '-01', '+1 month') -
                                            julianday(substr(time, 1, 7) || '-01')) AS percent
FROM readable
GROUP BY mote, property, month
ORDER BY mote, property, month;
