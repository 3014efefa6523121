package river;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.jena.rdf.model.Model;
import org.apache.jena.rdf.model.ModelFactory;
import org.apache.jena.rdf.model.Property;
import org.apache.jena.rdf.model.RDFList;
import org.apache.jena.rdf.model.RDFNode;
import org.apache.jena.rdf.model.Resource;
import org.apache.jena.riot.Lang;
import org.apache.jena.riot.RDFParser;

/** A registered sensor. Gross range is its only quality test: the registry has no limits for others. */
final class Sensor {
    static final int GOOD = 1;
    static final int NOT_EVALUATED = 2;
    static final int SUSPECT = 3;
    static final int FAIL = 4;
    static final Map<Integer, String> FLAGS =
            Map.of(GOOD, "good", NOT_EVALUATED, "not-evaluated", SUSPECT, "suspect", FAIL, "fail");

    /** Rounds the results of unit conversion. */
    private static final MathContext DIGITS = new MathContext(15, RoundingMode.HALF_EVEN);

    /** A unit: its UCUM code, and the divisors for values that are sent in other units. */
    private record Unit(String ucum, Map<String, Double> divisors) {}

    private static final Map<String, Unit> UNITS = Map.of(
            "DEG_C", new Unit("Cel", Map.of()),
            "FT", new Unit("[ft_i]", Map.of("m", 0.3048)),
            "FT3-PER-SEC", new Unit("[ft_i]3/s", Map.of("m3/s", 0.028316846592)),
            "MicroS-PER-CentiM", new Unit("uS/cm", Map.of("S/m", 1e-4)),
            "MilliGM-PER-L", new Unit("mg/L", Map.of()),
            "NTU", new Unit("{FNU}", Map.of()),
            "PH", new Unit("[pH]", Map.of()));

    final String name;
    final String iri;
    final String property;
    final String propertyKey;
    final String feature;
    final String procedure;
    final String unitIri;
    final String unit;
    private final Map<String, Double> divisors;
    private final List<Double> fail;
    private final List<Double> suspect;
    private long newestNs = Long.MIN_VALUE;

    private Sensor(String name, Resource node) {
        this.name = name;
        iri = node.getURI();
        property = follow(node, Names.SOSA + "observes").asResource().getURI();
        propertyKey = property.substring(property.lastIndexOf('/') + 1);
        feature = follow(node, Names.SOSA + "isHostedBy", Names.IR + "featureOfInterest").asResource().getURI();
        procedure = follow(node, Names.SSN + "implements").asResource().getURI();
        unitIri = follow(node, Names.QUDT + "hasUnit").asResource().getURI();
        Unit known = UNITS.get(unitIri.substring(unitIri.lastIndexOf('/') + 1));
        unit = known.ucum();
        divisors = known.divisors();
        fail = span(node, "grossFail");
        suspect = span(node, "grossSuspect");
    }

    static boolean isBad(int flag) {
        return flag == SUSPECT || flag == FAIL;
    }

    /** Reads a registry: sensors by SenML name. */
    static Map<String, Sensor> readRegistry(String path) {
        Model model = ModelFactory.createDefaultModel();
        RDFParser.source(path).lang(Lang.TURTLE).base(Names.BASE).parse(model);
        Map<String, Sensor> sensors = new HashMap<>();
        model.listStatements(null, model.createProperty(Names.IR + "senmlName"), (RDFNode) null)
                .forEach(each -> sensors.put(each.getString(), new Sensor(each.getString(), each.getSubject())));
        return sensors;
    }

    /** The node at the end of a path of properties, or null. */
    private static RDFNode follow(Resource node, String... path) {
        RDFNode found = node;
        for (String step : path) {
            Property property = node.getModel().createProperty(step);
            found = found == null || !found.asResource().hasProperty(property)
                    ? null : found.asResource().getProperty(property).getObject();
        }
        return found;
    }

    private static List<Double> span(Resource node, String limit) {
        RDFNode list = follow(node, Names.IR + "limits", Names.IR + limit);
        return list == null ? null : list.as(RDFList.class).asJavaList().stream()
                .map(each -> each.asLiteral().getDouble()).collect(Collectors.toList());
    }

    /** Converts a value as sent to the unit that this sensor is registered with. */
    BigDecimal convert(BigDecimal value, String sentUnit) {
        Double divisor = divisors.get(sentUnit);
        return divisor == null ? value : new BigDecimal(value.doubleValue() / divisor).round(DIGITS);
    }

    int flag(double value) {
        if (fail == null) {
            return NOT_EVALUATED;
        }
        if (!within(fail, value)) {
            return FAIL;
        }
        return suspect != null && !within(suspect, value) ? SUSPECT : GOOD;
    }

    private static boolean within(List<Double> span, double value) {
        return value >= span.get(0) && value <= span.get(1);
    }

    /** Whether a newer observation arrived before. Only one thread may call it at a time. */
    boolean isLate(long timeNs) {
        boolean late = timeNs <= newestNs;
        newestNs = Math.max(newestNs, timeNs);
        return late;
    }
}
