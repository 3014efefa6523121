-- Sensors that have sent nothing since a given time, here since 18 November 2011.
SELECT mote, property, max(time) AS last
FROM readable
GROUP BY mote, property
HAVING last < '2011-11-18'
ORDER BY mote, property;
