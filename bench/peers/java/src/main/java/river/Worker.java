package river;

import com.mongodb.ConnectionString;
import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoClientSettings;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoDatabase;
import com.mongodb.client.model.InsertManyOptions;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.stream.Collectors;
import org.apache.jena.sparql.exec.http.GSP;
import org.bson.Document;
import org.bson.UuidRepresentation;

/**
 * Does the job of ir-worker in Java, written as someone who knows the libraries would write it: several batches at once. For
 * each batch a pool of threads writes documents and statements in parallel; then it publishes with confirms and acknowledges
 * in order.
 *
 * <p>It omits some duties of ir-worker: handing over partitions, quality tests other than gross range, proving refusals.
 * bench/peers/README.md says how to run a peer.
 */
public final class Worker {
    private static final int IN_FLIGHT = 4;
    private static final int CONFIRM_MS = 60_000;
    private static final int DUPLICATE = 11000;

    private final Map<String, String> options;
    private final int batchSize;
    private final Map<String, Sensor> registry;
    private final BlockingQueue<Delivery> arrived = new LinkedBlockingQueue<>();
    private final ExecutorService pool = Executors.newFixedThreadPool(2 * IN_FLIGHT, work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });
    private final MongoDatabase database;
    private final Channel in;
    private final Channel out;

    private Worker(Map<String, String> options, MongoClient client, String databaseName, Connection connection)
            throws Exception {
        this.options = options;
        batchSize = Integer.parseInt(options.getOrDefault("batch", "1000"));
        registry = Sensor.readRegistry(options.get("registry"));
        database = client.getDatabase(databaseName).withWriteConcern(WriteConcern.MAJORITY.withJournal(true));
        in = connection.createChannel();
        in.basicQos(batchSize);
        out = connection.createChannel();
        out.confirmSelect();
    }

    public static void main(String[] words) throws Exception {
        Map<String, String> options = Arrays.stream(words).map(each -> each.substring(2).split("=", 2))
                .collect(Collectors.toMap(each -> each[0], each -> each[1]));
        ConnectionString place = new ConnectionString(options.get("mongodb"));
        MongoClientSettings settings = MongoClientSettings.builder().applyConnectionString(place)
                .uuidRepresentation(UuidRepresentation.STANDARD).build();
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(options.get("amqp"));
        try (MongoClient client = MongoClients.create(settings); Connection connection = factory.newConnection()) {
            Worker worker = new Worker(options, client, place.getDatabase(), connection);
            System.out.println("ready");
            worker.consume();
            worker.run(Long.parseLong(options.get("observations")));
            System.out.println("done");
            Thread.currentThread().join();
        }
    }

    private void consume() throws Exception {
        int partitions = Integer.parseInt(options.getOrDefault("partitions", "8"));
        for (int i = 0; i < partitions; i++) {
            in.basicConsume("ir.observations." + i, (tag, delivery) -> arrived.add(delivery), tag -> { });
        }
    }

    private void run(long observations) throws Exception {
        Semaphore free = new Semaphore(IN_FLIGHT);
        CompletableFuture<Void> previous = CompletableFuture.completedFuture(null);
        for (long taken = 0; taken < observations;) {
            free.acquire();
            if (previous.isCompletedExceptionally()) {
                break;
            }
            Batch batch = collect();
            taken += batch.documents.size();
            previous = CompletableFuture.allOf(previous,
                            CompletableFuture.runAsync(() -> writeDocuments(batch), pool),
                            CompletableFuture.runAsync(() -> writeStatements(batch), pool))
                    .thenRunAsync(() -> publish(batch), pool)
                    .whenComplete((done, failure) -> free.release());
        }
        previous.join();
    }

    /** Takes the messages that have arrived, at least one. */
    private Batch collect() throws Exception {
        Batch batch = new Batch(registry);
        for (Delivery next = arrived.take(); next != null;
                next = batch.documents.size() < batchSize ? arrived.poll() : null) {
            batch.add(next);
        }
        return batch;
    }

    private void writeDocuments(Batch batch) {
        insert("raw", batch.raw);
        insert("observations", batch.documents);
    }

    /** Inserts documents. One that an earlier delivery already inserted is fine. */
    private void insert(String collection, List<Document> documents) {
        try {
            database.getCollection(collection).insertMany(documents, new InsertManyOptions().ordered(false));
        } catch (MongoBulkWriteException refused) {
            if (refused.getWriteErrors().stream().anyMatch(each -> each.getCode() != DUPLICATE)) {
                throw refused;
            }
        }
    }

    private void writeStatements(Batch batch) {
        GSP.service(options.get("sparql")).defaultGraph().POST(batch.graph);
    }

    /** Publishes in the order of the batches. */
    private void publish(Batch batch) {
        try {
            for (Batch.Message each : batch.messages) {
                out.basicPublish("ir.processed", each.key(), each.properties(), each.body());
            }
            out.waitForConfirmsOrDie(CONFIRM_MS);
            in.basicAck(batch.tag, true);
        } catch (Exception failure) {
            throw new CompletionException(failure);
        }
    }
}
