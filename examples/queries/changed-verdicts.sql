-- Values whose quality changed after they were stored, because the next value showed a spike or they were
-- evaluated again.
SELECT mote, property, time, value, first_quality, quality
FROM readable
WHERE quality <> first_quality
ORDER BY mote, property, time;
