-- Corrected values: times for which one sensor sent different values. Nothing is overwritten.
SELECT mote, property, time, count(*) AS versions, min(value) AS lowest, max(value) AS highest
FROM readable
GROUP BY mote, property, time
HAVING count(*) > 1
ORDER BY mote, property, time;
