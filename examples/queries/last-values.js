// The last value of every sensor, with its newest verdict.
db.readable.aggregate([
  {"$setWindowFields": {"partitionBy": {"mote": "$mote", "property": "$property"}, "sortBy": {"time": -1},
                        "output": {"place": {"$rank": {}}}}},
  {"$match": {"place": 1}},
  {"$sort": {"mote": 1, "property": 1}},
  {"$project": {"_id": 0, "mote": 1, "property": 1, "time": 1, "value": 1, "quality": 1}}
]).forEach(row => print(EJSON.stringify(row)))
