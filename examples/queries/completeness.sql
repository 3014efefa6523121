-- Completeness by month, in percent of what a sensor with one value in 15 minutes sends.
SELECT mote, property, substr(time, 1, 7) AS month, count(DISTINCT time) AS received,
       100.0 * count(DISTINCT time) / 96 / (julianday(substr(time, 1, 7) || '-01', '+1 month') -
                                            julianday(substr(time, 1, 7) || '-01')) AS percent
FROM readable
GROUP BY mote, property, month
ORDER BY mote, property, month;
