@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix time: <http://www.w3.org/2006/time#> .
@prefix qudt: <http://qudt.org/schema/qudt/> .
@prefix dqv: <http://www.w3.org/ns/dqv#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ir: <https://intelligent-river.example/ns#> .

<https://example.org/instant/2011-05-01T00:00:00Z> time:inXSDDateTimeStamp "2011-05-01T00:00:00Z"^^xsd:dateTimeStamp .
<urn:uuid:012fa8da-c400-8322-9d3c-05167b510ff5> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "7.25"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:00:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:00:00Z> ;
    dqv:hasQualityAnnotation ir:good ;
    a sosa:Observation .
<urn:uuid:012fa8da-c400-8aa0-954c-c38ce4c6e779> sosa:madeBySensor <https://lake.example/anemometer> ;
    sosa:observedProperty <https://lake.example/wind-speed> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "9.71922246220302"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:00:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:00:00Z> ;
    dqv:hasQualityAnnotation ir:good ;
    a sosa:Observation .
<https://example.org/instant/2011-05-01T00:10:00.25Z> time:inXSDDateTimeStamp "2011-05-01T00:10:00.25Z"^^xsd:dateTimeStamp .
<urn:uuid:012fa8e3-ecba-8cca-94c1-8c2c0db742fd> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "-30"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:fail ;
    ir:grossRangeFlag ir:suspect ;
    ir:climatologyFlag ir:fail ;
    ir:rateOfChangeFlag ir:suspect ;
    a sosa:Observation .
<urn:uuid:012fa8e3-ecba-80c9-a514-af48ac9abf92> sosa:madeBySensor <https://lake.example/logger> ;
    sosa:observedProperty <https://lake.example/mode> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "a \"b\",\n\\ é" ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<urn:uuid:012fa8e3-ecba-8fce-80fc-d5baf5335a27> sosa:madeBySensor <https://example.org/sensor/BUOY-7/on> ;
    sosa:observedProperty <https://example.org/property/on> ;
    sosa:hasFeatureOfInterest <https://example.org/feature/BUOY-7> ;
    sosa:hasSimpleResult "true"^^xsd:boolean ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<urn:uuid:012fa8e3-ecba-8ed1-8a6d-30bb7e61e3cc> sosa:madeBySensor <https://example.org/sensor/BUOY-7/blob> ;
    sosa:observedProperty <https://example.org/property/blob> ;
    sosa:hasFeatureOfInterest <https://example.org/feature/BUOY-7> ;
    sosa:hasSimpleResult "+/8A"^^<http://www.w3.org/2001/XMLSchema#base64Binary> ;
    sosa:resultTime "2011-05-01T00:10:00.25Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:10:00.25Z> ;
    dqv:hasQualityAnnotation ir:not-evaluated ;
    a sosa:Observation .
<https://example.org/instant/2011-05-01T00:20:00Z> time:inXSDDateTimeStamp "2011-05-01T00:20:00Z"^^xsd:dateTimeStamp .
<urn:uuid:012fa8ed-1380-8846-af14-52a976e25baf> sosa:madeBySensor <https://lake.example/thermometer> ;
    sosa:observedProperty <https://lake.example/air-temperature> ;
    sosa:hasFeatureOfInterest <https://lake.example/lake> ;
    sosa:hasSimpleResult "7.5"^^xsd:double ;
    sosa:resultTime "2011-05-01T00:20:00Z"^^xsd:dateTime ;
    sosa:phenomenonTime <https://example.org/instant/2011-05-01T00:20:00Z> ;
    dqv:hasQualityAnnotation ir:suspect ;
    ir:rateOfChangeFlag ir:suspect ;
    a sosa:Observation .
<urn:uuid:012fa8e3-ecba-8a8f-8157-8642d1ee8fe4> ir:revises <urn:uuid:012fa8e3-ecba-8cca-94c1-8c2c0db742fd> ;
    ir:decidedBy <urn:uuid:012fa8ed-1380-8846-af14-52a976e25baf> ;
    ir:spikeFlag ir:fail ;
    dqv:hasQualityAnnotation ir:fail ;
    a ir:Revision .
