#include "store/documents/mongodb/codes.h"

#include <stdbool.h>
#include <stddef.h>

/* The category ValidationError, and codes whose names can only mean a fault of the document.
 * BadValue (2), FailedToParse (9) and similar codes are not included: a server also uses them for a
 * command that it does not understand. */
static const int64_t data_codes[] = {
    15,    /* Overflow: nested too deeply */
    22,    /* InvalidBSON */
    121,   /* DocumentValidationFailure: "only for the document validator on collections" */
    378,   /* NonConformantBSON */
    10334, /* BSONObjectTooLarge */
    17280, /* KeyTooLong, before 4.2 */
};

/* The categories NetworkError, Interruption, NotPrimaryError, StaleShardVersionError,
 * NeedRetargettingError, WriteConcernError, ShutdownError, CancellationError,
 * ExceededTimeLimitError, SnapshotError, RetriableError and SystemOverloadedError; permissions; and
 * codes named after a state of the server. */
static const int64_t server_codes[] = {
    6,     /* HostUnreachable */
    7,     /* HostNotFound */
    13,    /* Unauthorized */
    18,    /* AuthenticationFailed */
    24,    /* LockTimeout */
    26,    /* NamespaceNotFound */
    46,    /* LockBusy */
    50,    /* MaxTimeMSExpired */
    63,    /* StaleShardVersion */
    64,    /* WriteConcernTimeout */
    70,    /* ShardNotFound */
    71,    /* ReplicaSetNotFound */
    74,    /* NodeNotFound */
    75,    /* WriteConcernLegacyOK */
    79,    /* UnknownReplWriteConcern */
    89,    /* NetworkTimeout */
    90,    /* CallbackCanceled */
    91,    /* ShutdownInProgress */
    94,    /* NotYetInitialized */
    95,    /* NotSecondary */
    100,   /* UnsatisfiableWriteConcern */
    107,   /* LockFailed */
    109,   /* ConfigurationInProgress */
    112,   /* WriteConflict */
    117,   /* ConflictingOperationInProgress */
    133,   /* FailedToSatisfyReadPreference */
    134,   /* ReadConcernMajorityNotAvailableYet */
    145,   /* PooledConnectionsDropped */
    146,   /* ExceededMemoryLimit */
    149,   /* NoConfigPrimary */
    150,   /* StaleEpoch */
    172,   /* TransportSessionClosed */
    189,   /* PrimarySteppedDown */
    199,   /* ReplicaSetMonitorRemoved */
    202,   /* NetworkInterfaceExceededTimeLimit */
    203,   /* ShardingStateNotInitialized */
    208,   /* TooManyLocks */
    215,   /* DatabaseDropPending */
    216,   /* ElectionInProgress */
    234,   /* RetryChangeStream */
    239,   /* SnapshotTooOld */
    246,   /* SnapshotUnavailable */
    249,   /* StaleDbVersion */
    250,   /* StaleChunkHistory */
    262,   /* ExceededTimeLimit */
    264,   /* TooManyFilesOpen */
    272,   /* MigrationConflict */
    279,   /* ClientDisconnect */
    308,   /* CurrentConfigNotCommittedYet */
    314,   /* ObjectIsBusy */
    317,   /* ConnectionPoolExpired */
    319,   /* MovePrimaryInProgress */
    333,   /* ServiceExecutorInShutdown */
    343,   /* ShardCannotRefreshDueToLocksHeld */
    355,   /* InterruptedDueToStorageChange */
    365,   /* TemporarilyUnavailable */
    371,   /* UserWritesBlocked */
    384,   /* ConnectionError */
    391,   /* ReauthenticationRequired */
    402,   /* ResourceExhausted */
    407,   /* PooledConnectionAcquisitionExceededTimeLimit */
    433,   /* AdmissionQueueOverflow */
    449,   /* RateLimitExceeded */
    450,   /* PooledConnectionAcquisitionRejected */
    453,   /* InterruptedDueToReshardingCriticalSection */
    462,   /* IngressRequestRateLimitExceeded */
    8000,  /* AtlasError: over the quota, among others */
    9001,  /* SocketException */
    10058, /* LegacyNotPrimary */
    10107, /* NotWritablePrimary */
    11600, /* InterruptedAtShutdown */
    11601, /* Interrupted */
    11602, /* InterruptedDueToReplStateChange */
    13388, /* StaleConfig */
    13435, /* NotPrimaryNoSecondaryOk */
    13436, /* NotPrimaryOrSecondary */
    14031, /* OutOfDiskSpace */
    16500, /* Cosmos DB: too many requests */
    46841, /* ClientMarkedKilled */
    56846, /* ConfigServerUnreachable */
    91331, /* RetriableRemoteCommandFailure */
};

static const int64_t repeat_codes[] = {11000, 11001, 12582}; /* DuplicateKey; old servers */

static bool is_in(const int64_t *codes, size_t count, int64_t code) {
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

#define IS_IN(codes, code) is_in(codes, sizeof(codes) / sizeof *(codes), code)

ir_mongodb_fault_t ir_mongodb_fault(int64_t code) {
    if (IS_IN(repeat_codes, code)) {
        return IR_MONGODB_FAULT_REPEAT;
    }
    if (IS_IN(data_codes, code)) {
        return IR_MONGODB_FAULT_DATA;
    }
    return IS_IN(server_codes, code) ? IR_MONGODB_FAULT_SERVER : IR_MONGODB_FAULT_UNKNOWN;
}
