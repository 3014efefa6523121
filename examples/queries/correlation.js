// How the water temperatures of two gauges are related: the number of pairs of good values at the same time, the
// slope of the line through them, and the square of the correlation.
db.readable.aggregate([
  {"$match": {"mote": {"$in": ["USGS-02336300", "USGS-02337170"]}, "property": "water-temperature", "quality": "good"}},
  {"$group": {"_id": "$time", "x": {"$max": {"$cond": [{"$eq": ["$mote", "USGS-02336300"]}, "$value", null]}},
              "y": {"$max": {"$cond": [{"$eq": ["$mote", "USGS-02337170"]}, "$value", null]}}}},
  {"$match": {"x": {"$ne": null}, "y": {"$ne": null}}},
  {"$group": {"_id": null, "n": {"$sum": 1}, "x": {"$sum": "$x"}, "y": {"$sum": "$y"},
              "xx": {"$sum": {"$multiply": ["$x", "$x"]}}, "yy": {"$sum": {"$multiply": ["$y", "$y"]}},
              "xy": {"$sum": {"$multiply": ["$x", "$y"]}}}},
  {"$set": {"xx": {"$subtract": [{"$multiply": ["$n", "$xx"]}, {"$multiply": ["$x", "$x"]}]},
            "yy": {"$subtract": [{"$multiply": ["$n", "$yy"]}, {"$multiply": ["$y", "$y"]}]},
            "xy": {"$subtract": [{"$multiply": ["$n", "$xy"]}, {"$multiply": ["$x", "$y"]}]}}},
  {"$project": {"_id": 0, "pairs": "$n", "slope": {"$divide": ["$xy", "$xx"]},
                "r2": {"$divide": [{"$multiply": ["$xy", "$xy"]}, {"$multiply": ["$xx", "$yy"]}]}}}
]).forEach(row => print(EJSON.stringify(row)))
