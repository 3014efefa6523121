package river;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/** UUIDs of version 8: 48 bits of the time, then bits of the hash over the content. */
final class Ids {
    private static final UUID RAW = UUID.fromString("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a01");
    private static final UUID OBSERVATION = UUID.fromString("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02");
    private static final long NS_PER_MS = 1_000_000;

    private Ids() {}

    /** The id of a message whose times are all absolute. */
    static UUID raw(String mote, byte[] body, long timeNs) {
        return make(RAW, timeNs, ("absolute\n" + mote + "\n").getBytes(StandardCharsets.UTF_8), body);
    }

    /** The id of an observation with a number, as it was sent. */
    static UUID observation(String name, long timeNs, String value) {
        String text = name + "\n" + timeNs + "\nv\n" + value;
        return make(OBSERVATION, timeNs, text.getBytes(StandardCharsets.UTF_8));
    }

    private static UUID make(UUID namespace, long timeNs, byte[]... parts) {
        MessageDigest digest = sha256();
        digest.update(ByteBuffer.allocate(16).putLong(namespace.getMostSignificantBits())
                .putLong(namespace.getLeastSignificantBits()).array());
        for (byte[] part : parts) {
            digest.update(part);
        }
        ByteBuffer hash = ByteBuffer.wrap(digest.digest());
        long high = timeNs / NS_PER_MS << 16 | 0x8000L | hash.getLong() & 0x0FFFL;
        long low = hash.getLong() & 0x3FFFFFFFFFFFFFFFL | 0x8000000000000000L;
        return new UUID(high, low);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException absent) {
            throw new IllegalStateException(absent);
        }
    }
}
