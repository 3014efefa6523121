@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix time: <http://www.w3.org/2006/time#> .
@prefix qudt: <http://qudt.org/schema/qudt/> .
@prefix dqv: <http://www.w3.org/ns/dqv#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ir: <https://intelligent-river.example/ns#> .

<https://example.org/instant/2011-05-01T00:00:00Z> time:inXSDDateTimeStamp "2011-05-01T00:00:00Z"^^xsd:dateTimeStamp .
<urn:uuid:ad962099-db02-5295-aa25-da883fa5bba9> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "7.25"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:00:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:00:00Z> ;
    dqv:hasQualityAnnotation ir:good ;
    a sosa:Observation .
<urn:uuid:ed46b826-6528-556d-bae8-1bca45aa1681> sosa:madeBySensor <https://lake.example/anemometer> ;
    sosa:observedProperty <https://lake.example/wind-speed> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "9.71922246220302"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:00:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:00:00Z> ;
    dqv:hasQualityAnnotation ir:good ;
    a sosa:Observation .
<https://example.org/instant/2011-05-01T00:10:00.25Z> time:inXSDDateTimeStamp "2011-05-01T00:10:00.25Z"^^xsd:dateTimeStamp .
<urn:uuid:6a23a645-a807-565b-8685-f19f2ac60240> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "-30"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:fail ;
    a sosa:Observation .
<urn:uuid:abd51f95-b642-52d1-9a58-c6736f7a7e0d> sosa:madeBySensor <https://lake.example/logger> ;
    sosa:observedProperty <https://lake.example/mode> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "a \"b\",\n\\ é" ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<urn:uuid:3faafa7a-cddd-50df-a86c-64d729134441> sosa:madeBySensor <https://example.org/sensor/BUOY-7/on> ;
    sosa:observedProperty <https://example.org/property/on> ;
    sosa:hasFeatureOfInterest <https://example.org/feature/BUOY-7> ;
    sosa:hasSimpleResult "true"^^xsd:boolean ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<urn:uuid:7605a2a9-03d0-5811-860d-8bae1a0d2509> sosa:madeBySensor <https://example.org/sensor/BUOY-7/blob> ;
    sosa:observedProperty <https://example.org/property/blob> ;
    sosa:hasFeatureOfInterest <https://example.org/feature/BUOY-7> ;
    sosa:hasSimpleResult "+/8A"^^<http://www.w3.org/2001/XMLSchema#base64Binary> ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<https://example.org/instant/2011-05-01T00:20:00Z> time:inXSDDateTimeStamp "2011-05-01T00:20:00Z"^^xsd:dateTimeStamp .
<urn:uuid:70763e43-86ea-5416-86f5-48e3fdb4777f> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "7.5"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:20:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:20:00Z> ;
    dqv:hasQualityAnnotation ir:suspect ;
    a sosa:Observation .
<urn:uuid:32677f64-b688-5d99-bdf1-19f8d31babe4> ir:revises <urn:uuid:6a23a645-a807-565b-8685-f19f2ac60240> ;
    ir:decidedBy <urn:uuid:70763e43-86ea-5416-86f5-48e3fdb4777f> ;
    ir:spikeFlag ir:fail ;
    dqv:hasQualityAnnotation ir:fail ;
    a ir:Revision .
