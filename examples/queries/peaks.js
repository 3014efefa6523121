// The highest good discharge of every station, and when it was first reached.
db.readable.aggregate([
  {"$match": {"property": "discharge", "quality": "good"}},
  {"$setWindowFields": {"partitionBy": "$mote", "sortBy": {"value": -1}, "output": {"place": {"$rank": {}}}}},
  {"$match": {"place": 1}},
  {"$group": {"_id": "$mote", "peak": {"$first": "$value"}, "time": {"$min": "$time"}}},
  {"$sort": {"_id": 1}},
  {"$project": {"_id": 0, "mote": "$_id", "peak": 1, "time": 1}}
]).forEach(row => print(EJSON.stringify(row)))
