// The course of dissolved oxygen through the day at one station: the mean of the good values of each hour (UTC).
db.readable.aggregate([
  {"$match": {"mote": "USGS-08068500", "property": "dissolved-oxygen", "quality": "good"}},
  {"$group": {"_id": {"$hour": "$time"}, "mean": {"$avg": "$value"}, "good": {"$sum": 1}}},
  {"$sort": {"_id": 1}},
  {"$project": {"_id": 0, "hour": "$_id", "mean": 1, "good": 1}}
]).forEach(row => print(EJSON.stringify(row)))
