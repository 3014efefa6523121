-- What is measured where: how many values there are of each sensor, the first and the last one.
SELECT mote, property, count(*) AS observations, min(time) AS first, max(time) AS last
FROM readable
GROUP BY mote, property
ORDER BY mote, property;
