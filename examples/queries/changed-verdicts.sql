-- Values whose verdict changed after they were stored: the next value showed a spike, or they were judged again.
SELECT mote, property, time, value, first_quality, quality
FROM readable
WHERE quality <> first_quality
ORDER BY mote, property, time;
