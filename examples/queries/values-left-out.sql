-- How many values of each sensor are good, and how many are left out, by their newest verdict.
SELECT mote, property, sum(quality = 'good') AS good, sum(quality = 'suspect') AS suspect,
       sum(quality = 'fail') AS fail, sum(quality IN ('not_evaluated', 'missing')) AS unknown
FROM readable
GROUP BY mote, property
ORDER BY mote, property;
