package river;

import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.jena.graph.Graph;
import org.apache.jena.sparql.graph.GraphFactory;
import org.bson.Document;
import org.bson.types.Binary;

/** Messages that are annotated and stored together. Made by one thread, then only read. */
final class Batch {
    record Message(String key, BasicProperties properties, byte[] body) {}

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(StreamWriteFeature.WRITE_BIGDECIMAL_AS_PLAIN).build();
    private static final ObjectNode CONTEXT = Observation.context(JSON);
    private static final int PERSISTENT = 2;

    private final Map<String, Sensor> registry;
    final List<Document> raw = new ArrayList<>();
    final List<Document> documents = new ArrayList<>();
    final List<Message> messages = new ArrayList<>();
    final Graph graph = GraphFactory.createDefaultGraph();
    long tag;

    Batch(Map<String, Sensor> registry) {
        this.registry = registry;
    }

    void add(Delivery delivery) throws IOException {
        tag = delivery.getEnvelope().getDeliveryTag();
        String key = delivery.getEnvelope().getRoutingKey();
        String mote = key.substring("ir.".length());
        List<Observation> observations = resolve(mote, delivery.getBody());
        UUID rawId = observations.get(0).raw();
        long arrivalMs = (Long) delivery.getProperties().getHeaders().get("timestamp_in_ms");
        raw.add(new Document("_id", rawId).append("mote", mote).append("routing_key", key)
                .append("content_type", delivery.getProperties().getContentType())
                .append("body", new Binary(delivery.getBody())).append("received", new Date(arrivalMs))
                .append("received_ns", arrivalMs * 1_000_000).append("status", "accepted"));
        ArrayNode resolved = JSON.createArrayNode();
        ObjectNode jsonLd = JSON.createObjectNode();
        jsonLd.set("@context", CONTEXT);
        ArrayNode nodes = jsonLd.putArray("@graph");
        long previousNs = Long.MIN_VALUE;
        for (Observation each : observations) {
            documents.add(each.document());
            each.addTo(graph);
            each.addResolved(resolved);
            each.addJsonLd(nodes, each.timeNs() != previousNs);
            previousNs = each.timeNs();
        }
        publish("jsonld." + mote, "application/ld+json", rawId, jsonLd);
        publish("senml." + mote, "application/senml+json", rawId, resolved);
    }

    /** Resolves a pack (RFC 8428, section 4.6). */
    private List<Observation> resolve(String mote, byte[] body) throws IOException {
        List<Observation> found = new ArrayList<>();
        String baseName = "";
        String baseUnit = "";
        BigDecimal baseTime = BigDecimal.ZERO;
        UUID rawId = null;
        for (JsonNode record : JSON.readTree(body)) {
            baseName = record.path("bn").asText(baseName);
            baseUnit = record.path("bu").asText(baseUnit);
            baseTime = record.has("bt") ? record.get("bt").decimalValue() : baseTime;
            BigDecimal time = record.has("t") ? baseTime.add(record.get("t").decimalValue()) : baseTime;
            long timeNs = time.movePointRight(9).longValue();
            rawId = rawId == null ? Ids.raw(mote, body, timeNs) : rawId;
            Sensor sensor = registry.get(baseName + record.path("n").asText(""));
            found.add(Observation.of(rawId, mote, sensor, timeNs, record.get("v").decimalValue(),
                    record.path("u").asText(baseUnit), found.size()));
        }
        return found;
    }

    private void publish(String key, String contentType, UUID rawId, JsonNode content) throws IOException {
        BasicProperties properties = new BasicProperties.Builder().contentType(contentType).deliveryMode(PERSISTENT)
                .messageId(rawId.toString()).build();
        messages.add(new Message(key, properties, JSON.writeValueAsBytes(content)));
    }
}
