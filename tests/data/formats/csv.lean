time,mote,sensor,property,feature,value,unit,source_value,source_unit,aggregate,gross_range,climatology,spike,rate_of_change,flat_line,late,id,raw
2011-05-01T00:00:00Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,7.25,Cel,7.25,Cel,1,1,1,2,1,1,false,ad962099-db02-5295-aa25-da883fa5bba9,b7519cfa-8dc7-574c-8885-829aa0bc1c37
2011-05-01T00:00:00Z,BUOY-7,BUOY-7/wind,wind-speed,https://lake.example/lake,9.71922246220302,[kn_i],5,m/s,1,1,2,2,1,2,false,ed46b826-6528-556d-bae8-1bca45aa1681,b7519cfa-8dc7-574c-8885-829aa0bc1c37
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,-30,Cel,-30,Cel,4,3,4,2,3,1,false,6a23a645-a807-565b-8685-f19f2ac60240,4dbd0edc-9184-5574-8d95-14ef38c59a1a
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/mode,mode,https://lake.example/lake,"a ""b"",
\ é",,"a ""b"",
\ é",,2,2,2,2,2,2,false,abd51f95-b642-52d1-9a58-c6736f7a7e0d,4dbd0edc-9184-5574-8d95-14ef38c59a1a
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/on,on,https://example.org/feature/BUOY-7,true,,true,,2,2,2,2,2,2,false,3faafa7a-cddd-50df-a86c-64d729134441,4dbd0edc-9184-5574-8d95-14ef38c59a1a
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/blob,blob,https://example.org/feature/BUOY-7,-_8A,,-_8A,,2,2,2,2,2,2,false,7605a2a9-03d0-5811-860d-8bae1a0d2509,4dbd0edc-9184-5574-8d95-14ef38c59a1a
2011-05-01T00:20:00Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,7.5,Cel,7.5,Cel,3,1,1,2,3,1,false,70763e43-86ea-5416-86f5-48e3fdb4777f,e5d2b194-d061-5b9c-bd3a-7b3b3a631438
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,-30,Cel,-30,Cel,4,3,4,4,3,1,false,6a23a645-a807-565b-8685-f19f2ac60240,4dbd0edc-9184-5574-8d95-14ef38c59a1a
