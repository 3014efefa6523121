// When the water at one station rose by more than 0.25 ft within an hour, from good values.
db.readable.aggregate([
  {"$match": {"mote": "USGS-08068500", "property": "gage-height", "quality": "good"}},
  {"$setWindowFields": {"sortBy": {"time": 1}, "output": {
      "before": {"$first": "$value", "window": {"range": [-60, -60], "unit": "minute"}}}}},
  {"$set": {"rise": {"$subtract": ["$value", "$before"]}}},
  {"$match": {"rise": {"$gt": 0.25}}},
  {"$sort": {"time": 1}},
  {"$project": {"_id": 0, "time": 1, "value": 1, "rise": 1}}
]).forEach(row => print(EJSON.stringify(row)))
