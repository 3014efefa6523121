-- What every station measures: the number of values of each sensor, and the times of the first and the last one.
SELECT mote, property, count(*) AS observations, min(time) AS first, max(time) AS last
FROM readable
GROUP BY mote, property
ORDER BY mote, property;
