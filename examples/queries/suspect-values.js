// The values of one station that are suspect or fail, with the reasons, by the newest verdict.
db.readable.aggregate([
  {"$match": {"mote": "USGS-02336300", "quality": {"$in": ["suspect", "fail"]}}},
  {"$sort": {"time": 1, "property": 1}},
  {"$project": {"_id": 0, "time": 1, "property": 1, "value": 1, "quality": 1, "reasons": 1}}
]).forEach(row => print(EJSON.stringify(row)))
