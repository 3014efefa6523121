// Gaps in the discharge of one station: where the next value came more than an hour later.
db.readable.aggregate([
  {"$match": {"mote": "USGS-02336300", "property": "discharge"}},
  {"$setWindowFields": {"sortBy": {"time": 1}, "output": {"end": {"$shift": {"output": "$time", "by": 1}}}}},
  {"$set": {"minutes": {"$dateDiff": {"startDate": "$time", "endDate": "$end", "unit": "minute"}}}},
  {"$match": {"minutes": {"$gt": 60}}},
  {"$sort": {"time": 1}},
  {"$project": {"_id": 0, "begin": "$time", "end": 1, "minutes": 1}}
]).forEach(row => print(EJSON.stringify(row)))
