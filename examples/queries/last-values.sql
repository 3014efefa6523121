-- The last value of every sensor, with its newest verdict.
SELECT mote, property, time, value, quality
FROM (SELECT *, rank() OVER (PARTITION BY mote, property ORDER BY time DESC) AS place FROM readable)
WHERE place = 1
ORDER BY mote, property;
