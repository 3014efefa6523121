// Events at one station: begin, end and peak of each period in which its good discharge stayed above 100 ft3/s.
db.readable.aggregate([
  {"$match": {"mote": "USGS-08068500", "property": "discharge", "quality": "good"}},
  {"$setWindowFields": {"sortBy": {"time": 1}, "output": {
      "event": {"$sum": {"$cond": [{"$lte": ["$value", 100]}, 1, 0]},
                "window": {"documents": ["unbounded", "current"]}}}}},
  {"$match": {"value": {"$gt": 100}}},
  {"$group": {"_id": "$event", "begin": {"$min": "$time"}, "end": {"$max": "$time"}, "peak": {"$max": "$value"},
              "good": {"$sum": 1}}},
  {"$sort": {"begin": 1}},
  {"$project": {"_id": 0, "begin": 1, "end": 1, "peak": 1, "good": 1}}
]).forEach(row => print(EJSON.stringify(row)))
