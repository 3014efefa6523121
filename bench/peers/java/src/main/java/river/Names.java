package river;

/** The names and namespaces of docs/reference/formats.md. */
final class Names {
    static final String BASE = "https://intelligent-river.example/id/";
    static final String IR = "https://intelligent-river.example/ns#";
    static final String SOSA = "http://www.w3.org/ns/sosa/";
    static final String SSN = "http://www.w3.org/ns/ssn/";
    static final String QUDT = "http://qudt.org/schema/qudt/";
    static final String TIME = "http://www.w3.org/2006/time#";
    static final String DQV = "http://www.w3.org/ns/dqv#";

    private Names() {}
}
