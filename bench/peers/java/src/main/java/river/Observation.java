package river;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Date;
import java.util.UUID;
import org.apache.jena.datatypes.xsd.XSDDatatype;
import org.apache.jena.graph.Graph;
import org.apache.jena.graph.Node;
import org.apache.jena.graph.NodeFactory;
import org.apache.jena.graph.Triple;
import org.apache.jena.vocabulary.RDF;
import org.bson.Document;

/** One resolved record of a pack, and the forms it is written in. */
record Observation(UUID id, UUID raw, String mote, Sensor sensor, long timeNs, String time, BigDecimal value,
                   BigDecimal sent, String sentUnit, int flag, boolean late, int record) {
    private static final Node MADE_BY = sosa("madeBySensor");
    private static final Node PROPERTY = sosa("observedProperty");
    private static final Node FEATURE = sosa("hasFeatureOfInterest");
    private static final Node SIMPLE_RESULT = sosa("hasSimpleResult");
    private static final Node RESULT_TIME = sosa("resultTime");
    private static final Node PHENOMENON_TIME = sosa("phenomenonTime");
    private static final Node OBSERVATION = sosa("Observation");
    private static final Node QUALITY = NodeFactory.createURI(Names.DQV + "hasQualityAnnotation");
    private static final Node GROSS_RANGE = NodeFactory.createURI(Names.IR + "grossRangeFlag");
    private static final Node STAMP = NodeFactory.createURI(Names.TIME + "inXSDDateTimeStamp");

    static Observation of(UUID raw, String mote, Sensor sensor, long timeNs, BigDecimal sent, String sentUnit, int record) {
        BigDecimal value = sensor.convert(sent, sentUnit);
        return new Observation(Ids.observation(sensor.name, timeNs, text(sent)), raw, mote, sensor, timeNs, timeText(timeNs),
                value, sent, sentUnit, sensor.flag(value.doubleValue()), sensor.isLate(timeNs), record);
    }

    /** Formats a number with the fewest digits, without an exponent. */
    static String text(BigDecimal number) {
        return number.signum() == 0 ? "0" : number.stripTrailingZeros().toPlainString();
    }

    private static String timeText(long timeNs) {
        return Instant.ofEpochSecond(0, timeNs).toString();
    }

    // ---- for MongoDB ----

    Document document() {
        Document source = new Document("value", sent.doubleValue());
        if (!sentUnit.isEmpty()) {
            source.append("unit", sentUnit);
        }
        Document flags = new Document("gross_range", flag).append("climatology", Sensor.NOT_EVALUATED)
                .append("spike", Sensor.NOT_EVALUATED).append("rate_of_change", Sensor.NOT_EVALUATED)
                .append("flat_line", Sensor.NOT_EVALUATED);
        return new Document("_id", id).append("raw", raw).append("mote", mote).append("sensor", sensor.name)
                .append("sensor_iri", sensor.iri).append("property", sensor.propertyKey)
                .append("property_iri", sensor.property).append("feature", sensor.feature)
                .append("procedure", sensor.procedure).append("time", new Date(timeNs / 1_000_000))
                .append("time_ns", timeNs).append("value", value.doubleValue()).append("unit", sensor.unit)
                .append("unit_iri", sensor.unitIri).append("source", source).append("flags", flags)
                .append("aggregate", flag).append("quality", Sensor.FLAGS.get(flag)).append("late", late)
                .append("record", record);
    }

    // ---- for the triplestore ----

    void addTo(Graph graph) {
        Node subject = NodeFactory.createURI("urn:uuid:" + id);
        Node instant = NodeFactory.createURI(instant());
        graph.add(Triple.create(instant, STAMP, NodeFactory.createLiteralDT(time, XSDDatatype.XSDdateTimeStamp)));
        graph.add(Triple.create(subject, MADE_BY, NodeFactory.createURI(sensor.iri)));
        graph.add(Triple.create(subject, PROPERTY, NodeFactory.createURI(sensor.property)));
        graph.add(Triple.create(subject, FEATURE, NodeFactory.createURI(sensor.feature)));
        graph.add(Triple.create(subject, SIMPLE_RESULT, NodeFactory.createLiteralDT(text(value), XSDDatatype.XSDdouble)));
        graph.add(Triple.create(subject, RESULT_TIME, NodeFactory.createLiteralDT(time, XSDDatatype.XSDdateTime)));
        graph.add(Triple.create(subject, PHENOMENON_TIME, instant));
        Node quality = NodeFactory.createURI(Names.IR + Sensor.FLAGS.get(flag));
        graph.add(Triple.create(subject, QUALITY, quality));
        if (Sensor.isBad(flag)) {
            graph.add(Triple.create(subject, GROSS_RANGE, quality));
        }
        graph.add(Triple.create(subject, RDF.type.asNode(), OBSERVATION));
    }

    private String instant() {
        return Names.BASE + "instant/" + time;
    }

    private static Node sosa(String name) {
        return NodeFactory.createURI(Names.SOSA + name);
    }

    // ---- published again ----

    void addResolved(ArrayNode pack) {
        ObjectNode record = pack.addObject().put("n", sensor.name);
        if (!sentUnit.isEmpty()) {
            record.put("u", sentUnit);
        }
        record.put("v", sent).put("t", BigDecimal.valueOf(timeNs, 9).stripTrailingZeros());
    }

    void addJsonLd(ArrayNode graph, boolean withInstant) {
        if (withInstant) {
            graph.addObject().put("@id", instant()).put("time:inXSDDateTimeStamp", time);
        }
        ObjectNode node = graph.addObject();
        node.put("@id", "urn:uuid:" + id).put("@type", "Observation").put("madeBySensor", sensor.iri)
                .put("observedProperty", sensor.property).put("hasFeatureOfInterest", sensor.feature)
                .put("hasSimpleResult", text(value)).put("resultTime", time).put("phenomenonTime", instant())
                .put("dqv:hasQualityAnnotation", "ir:" + Sensor.FLAGS.get(flag));
        if (Sensor.isBad(flag)) {
            node.putObject("ir:grossRangeFlag").put("@id", "ir:" + Sensor.FLAGS.get(flag));
        }
    }

    static ObjectNode context(ObjectMapper mapper) {
        ObjectNode context = mapper.createObjectNode().put("@vocab", Names.SOSA).put("time", Names.TIME)
                .put("dqv", Names.DQV).put("xsd", XSDDatatype.XSD + "#").put("ir", Names.IR);
        for (String term : new String[] {"madeBySensor", "observedProperty", "hasFeatureOfInterest", "phenomenonTime",
            "dqv:hasQualityAnnotation"}) {
            context.putObject(term).put("@type", "@id");
        }
        context.putObject("hasSimpleResult").put("@type", "xsd:double");
        context.putObject("resultTime").put("@type", "xsd:dateTime");
        context.putObject("time:inXSDDateTimeStamp").put("@type", "xsd:dateTimeStamp");
        return context;
    }
}
