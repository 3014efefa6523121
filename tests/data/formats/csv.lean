time,mote,sensor,property,feature,value,unit,source_value,source_unit,aggregate,gross_range,climatology,spike,rate_of_change,flat_line,late,id,raw,reasons
2011-05-01T00:00:00Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,7.25,Cel,7.25,Cel,1,1,1,2,1,1,false,012fa8da-c400-8322-9d3c-05167b510ff5,012fa8da-c400-8c7b-ae9f-99c4a397b844,
2011-05-01T00:00:00Z,BUOY-7,BUOY-7/wind,wind-speed,https://lake.example/lake,9.71922246220302,[kn_i],5,m/s,1,1,2,2,1,2,false,012fa8da-c400-8aa0-954c-c38ce4c6e779,012fa8da-c400-8c7b-ae9f-99c4a397b844,
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,-30,Cel,-30,Cel,4,3,4,2,3,1,false,012fa8e3-ecba-8cca-94c1-8c2c0db742fd,012fa8e3-ecba-83db-b1d1-d5b98ea58eb8,gross range suspect; climatology fail; rate of change suspect
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/mode,mode,https://lake.example/lake,"a ""b"",
\ é",,"a ""b"",
\ é",,2,2,2,2,2,2,false,012fa8e3-ecba-80c9-a514-af48ac9abf92,012fa8e3-ecba-83db-b1d1-d5b98ea58eb8,
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/on,on,https://example.org/feature/BUOY-7,true,,true,,2,2,2,2,2,2,false,012fa8e3-ecba-8fce-80fc-d5baf5335a27,012fa8e3-ecba-83db-b1d1-d5b98ea58eb8,
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/blob,blob,https://example.org/feature/BUOY-7,-_8A,,-_8A,,2,2,2,2,2,2,false,012fa8e3-ecba-8ed1-8a6d-30bb7e61e3cc,012fa8e3-ecba-83db-b1d1-d5b98ea58eb8,
2011-05-01T00:20:00Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,7.5,Cel,7.5,Cel,3,1,1,2,3,1,false,012fa8ed-1380-8846-af14-52a976e25baf,012fa8ed-1380-8f6d-b983-fa4546d4b385,rate of change suspect
2011-05-01T00:10:00.25Z,BUOY-7,BUOY-7/temp,air-temperature,https://lake.example/lake,-30,Cel,-30,Cel,4,3,4,4,3,1,false,012fa8e3-ecba-8cca-94c1-8c2c0db742fd,012fa8e3-ecba-83db-b1d1-d5b98ea58eb8,gross range suspect; climatology fail; spike fail; rate of change suspect
