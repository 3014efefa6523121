// Completeness by month: how many of the expected values, one in 15 minutes, each sensor sent, in percent.
db.readable.aggregate([
  {"$group": {"_id": {"mote": "$mote", "property": "$property", "time": "$time"}}},
  {"$group": {"_id": {"mote": "$_id.mote", "property": "$_id.property",
                      "month": {"$dateTrunc": {"date": "$_id.time", "unit": "month"}}}, "received": {"$sum": 1}}},
  {"$sort": {"_id.mote": 1, "_id.property": 1, "_id.month": 1}},
  {"$set": {"next": {"$dateAdd": {"startDate": "$_id.month", "unit": "month", "amount": 1}}}},
  {"$set": {"days": {"$dateDiff": {"startDate": "$_id.month", "endDate": "$next", "unit": "day"}}}},
  {"$project": {"_id": 0, "mote": "$_id.mote", "property": "$_id.property", "received": 1,
                "month": {"$dateToString": {"format": "%Y-%m", "date": "$_id.month"}},
                "percent": {"$divide": [{"$multiply": [100, "$received"]}, {"$multiply": [96, "$days"]}]}}}
]).forEach(row => print(EJSON.stringify(row)))
