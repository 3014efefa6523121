// The duration curve of one station: which discharge is reached in 5, 10, … 95 percent of the good values.
db.readable.aggregate([
  {"$match": {"mote": "USGS-08068500", "property": "discharge", "quality": "good"}},
  {"$group": {"_id": "$value", "here": {"$sum": 1}}},
  {"$setWindowFields": {"sortBy": {"_id": -1}, "output": {
      "reached": {"$sum": "$here", "window": {"documents": ["unbounded", "current"]}},
      "good": {"$sum": "$here", "window": {"documents": ["unbounded", "unbounded"]}}}}},
  {"$set": {"percent": [5, 10, 25, 50, 75, 90, 95]}},
  {"$unwind": "$percent"},
  {"$match": {"$expr": {"$gte": [{"$multiply": [100, "$reached"]}, {"$multiply": ["$percent", "$good"]}]}}},
  {"$group": {"_id": "$percent", "discharge": {"$max": "$_id"}}},
  {"$sort": {"_id": 1}},
  {"$project": {"_id": 0, "percent": "$_id", "discharge": 1}}
]).forEach(row => print(EJSON.stringify(row)))
