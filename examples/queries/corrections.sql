-- Values that were corrected: one sensor said different things about one time. Nothing is overwritten.
SELECT mote, property, time, count(*) AS versions, min(value) AS lowest, max(value) AS highest
FROM readable
GROUP BY mote, property, time
HAVING count(*) > 1
ORDER BY mote, property, time;
