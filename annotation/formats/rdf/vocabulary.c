#include "annotation/formats/rdf/vocabulary.h"

#include "observation/registry/registry.h"

#define IRI_rdf "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define IRI_sosa "http://www.w3.org/ns/sosa/"
#define IRI_time "http://www.w3.org/2006/time#"
#define IRI_qudt "http://qudt.org/schema/qudt/"
#define IRI_dqv "http://www.w3.org/ns/dqv#"
#define IRI_xsd "http://www.w3.org/2001/XMLSchema#"
#define IRI_ir IR_ONTOLOGY

#define VIEW(text)                                                                                 \
    { (text), sizeof(text) - 1 }

const ir_name_spelling_t ir_names[IR_NAME_COUNT] = {
#define SPELLING(symbol, prefix, local)                                                            \
    [IR_NAME_##symbol] = {VIEW("<" IRI_##prefix local ">"), VIEW(#prefix ":" local),               \
                          VIEW(IRI_##prefix local)},
    IR_NAMES(SPELLING)
#define FLAG_SPELLING(symbol, key, words, flag) SPELLING(symbol##_FLAG, ir, flag)
        IR_QUALITY_TESTS(FLAG_SPELLING)
#undef FLAG_SPELLING
#undef SPELLING
};

#define PREFIXES(X, separator)                                                                     \
    X(rdf)                                                                                         \
    separator X(sosa)                                                                              \
    separator X(time)                                                                              \
    separator X(qudt)                                                                              \
    separator X(dqv)                                                                               \
    separator X(xsd)                                                                               \
    separator X(ir)
#define TURTLE(prefix) "@prefix " #prefix ": <" IRI_##prefix "> .\n"
#define JSON(prefix) "\"" #prefix "\":\"" IRI_##prefix "\""

const char ir_names_turtle_prefixes[] = PREFIXES(TURTLE, );
const char ir_names_json_prefixes[] = PREFIXES(JSON, ",");
