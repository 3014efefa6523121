-- The highest good discharge of every station, and when it was first reached.
SELECT mote, value AS peak, min(time) AS time
FROM (SELECT *, rank() OVER (PARTITION BY mote ORDER BY value DESC) AS place FROM readable
      WHERE property = 'discharge' AND quality = 'good')
WHERE place = 1
GROUP BY mote, value
ORDER BY mote;
